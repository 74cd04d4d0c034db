"""What keeps an engine's build from taking the memory that the door needs; for `build.py` and its child.

RLIMIT_AS is of no use: CUDA reserves far more addresses than it ever fills. A cgroup counts the host's pages but not
what NvMap allocates. So the child is the first that the kernel kills, a cgroup bounds its host memory where one can be
made, and the parent watches what the machine has left.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
NICE = 10
FIRST_TO_KILL = 900
"""oom_score_adj: raising it takes no rights; 1000 is the most."""
FILE_BYTES = 4 << 30
_GROUP = "faceedge-build"


def hold_back(root: Path = ROOT, group: Path | None = None) -> None:
    """For the child, before TensorRT starts threads, which inherit it. What the system refuses is left undone."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, FILE_BYTES)):
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))
    _write(root / "proc/self/oom_score_adj", str(FIRST_TO_KILL))
    if group is not None:
        _write(group / "cgroup.procs", str(os.getpid()))


def available_bytes(root: Path = ROOT) -> int | None:
    """What the machine could still give without swapping, NvMap's share taken off; None where it does not tell."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    words = next((line.split() for line in lines if line.startswith("MemAvailable:")), [])
    return int(words[1]) << 10 if len(words) == 3 and words[1].isdecimal() else None


def is_delegated(folder: Path) -> bool:
    """Whether systemd (251 or newer) left this part of the tree to the service: else it is systemd's alone."""
    try:
        return os.getxattr(folder, "user.delegate") == b"1"
    except OSError:
        return False


def make_group(most_bytes: int, root: Path = ROOT, may: Callable[[Path], bool] = is_delegated) -> Path | None:
    """A cgroup of version 2 with a limit beside this process's own, or None where there is none to be had: its folder
    must be delegated, and give the memory controller on."""
    own = next((line[3:] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::/")), "")
    if not own.strip("/"):
        return None
    folder = root / "sys/fs/cgroup" / own.strip("/")
    for parent in (folder.parent, folder):
        if may(parent) and _limited(parent / _GROUP, most_bytes):
            return parent / _GROUP
    return None


def remove_group(group: Path | None) -> None:
    """Once its process has gone."""
    if group is not None:
        with suppress(OSError):
            group.rmdir()


def _limited(group: Path, most_bytes: int) -> bool:
    with suppress(OSError):
        group.mkdir(exist_ok=True)
        if _write(group / "memory.max", str(most_bytes)):
            return True
        group.rmdir()
    return False


def _write(path: Path, text: str) -> bool:
    """Into what is there already: nothing is created."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(descriptor, text.encode()) == len(text)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
