"""A small disk of one's own for the state folder, in a mount namespace that ends with the command.

Only there can a disk be filled or made read-only without harm. The namespace is made by `unshare` (util-linux), as
root or in a user namespace where the kernel lets everybody have one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from faceedge.errors import FaceedgeError

MARK = "FACEEDGE_CHAOS_DISK"
"""In the environment of a process that has a namespace of its own: `root` or `user`."""
SIZE_MIB = 24
ASK_S = 10.0
_WAYS = {"root": ("--mount",), "user": ("--user", "--map-root-user", "--mount")}
FILLER = "filler"


def enter(command: Sequence[str]) -> None:
    """Becomes the same command in a namespace of its own; returns where there can be none, or is one already."""
    if os.environ.get(MARK) or (unshare := shutil.which("unshare")) is None:
        return
    for kind, way in _WAYS.items():
        if _succeeds([unshare, *way, "--", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]):
            sys.stdout.flush()
            sys.stderr.flush()
            os.environ[MARK] = kind
            os.execv(unshare, [unshare, *way, "--", *command])  # noqa: S606


def can_mount() -> bool:
    """Whether `mount` will work here."""
    return bool(os.environ.get(MARK))


def is_only_root_here() -> bool:
    """Whether we are root in a user namespace alone, where there is nobody else to become."""
    return os.environ.get(MARK) == "user"


def mount(folder: Path) -> None:
    """A small, empty disk there. Raises FaceedgeError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _do(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0700", "faceedge-chaos", str(folder)])


def unmount(folder: Path) -> None:
    """Takes it away, whoever still looks at it."""
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def fill(folder: Path) -> None:
    """Not one more byte fits."""
    with open(folder / FILLER, "wb", buffering=0) as filler:
        for size in (1 << 16, 1 << 12, 1 << 6, 1):
            try:
                while True:
                    filler.write(b"\0" * size)
            except OSError:  # full, for pieces of this size
                continue


def empty(folder: Path) -> None:
    """There is room again."""
    (folder / FILLER).unlink(missing_ok=True)


def read_only(folder: Path, *, on: bool) -> None:
    """Nobody may have a file open for writing there. Raises FaceedgeError."""
    _do(["mount", "-o", f"remount,{'ro' if on else 'rw'}", str(folder)])


def _do(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ASK_S)
    if done.returncode:
        raise FaceedgeError(f"{command[0]} failed: {done.stderr.strip() or done.returncode}")


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=ASK_S).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
