"""A machine of one's own: a container that boots a real systemd on a copy of the root, without a network.

What it writes lies in an overlay beside the root and is there again at its next boot. It is watched from outside:
commands go in by nsenter, and each is a process that this one waits for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from faceedge.backends.build_limits import available_bytes

ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
BOOTS_S, ENDS_S = 60.0, 20.0
PLENTY_BYTES, MOST_BYTES = 10 << 30, 8 << 30
BEFORE_OTHERS = ("nice", "-n", "-5")
"""A box at a door has its processor to itself; here other tests run beside it."""
HIERARCHIES = (Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified"))


class Machine:
    """folder: where its disk and its console lie. root: what it starts from, only read."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.name = f"faceedge-{os.getpid()}"
        self.disk = folder / "disk"
        """Everything it has written: files of the root that it has not touched are not there."""
        self._tree, self._work, self._console = folder / "tree", folder / "work", folder / "console.log"
        self._in_memory = self._put_into_memory(folder)
        for place in (self.disk, self._tree, self._work):
            place.mkdir(parents=True)
        self.root = root
        """What it began as."""
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._groups = [place / self.name for place in HIERARCHIES if place.is_dir()]
        options = f"lowerdir={root},upperdir={self.disk},workdir={self._work}"
        _do("mount", "-t", "overlay", "overlay", "-o", options, self._tree)

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        _do("umount", self._tree)
        if self._in_memory is not None:
            _do("umount", self._in_memory)

    @property
    def tree(self) -> Path:
        """Its whole disk, to be looked into from outside, and written to while it is off."""
        return self._tree

    def boot(self, binds: Mapping[Path, str] | None = None) -> float:
        """Until systemd says that it is up; seconds. binds: folders of ours and where it sees them, `:ro` at the end
        for those that it must not write to."""
        began = time.monotonic()
        bound = [f"--bind={ours}:{theirs}" for ours, theirs in (binds or {}).items() if not theirs.endswith(":ro")]
        read = [f"--bind-ro={ours}:{at[:-3]}" for ours, at in (binds or {}).items() if at.endswith(":ro")]
        keep = [] if Path("/run/systemd/system").is_dir() else ["--keep-unit"]
        command = [
            *BEFORE_OTHERS, "systemd-nspawn", "--quiet", f"--directory={self._tree}", f"--machine={self.name}",
            "--boot", "--register=no", *keep, "--private-network", "--link-journal=no", "--resolv-conf=off",
            "--timezone=off", "--console=pipe", *bound, *read,
        ]  # fmt: skip
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                [*self._in_own_groups(), *command], stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        self._until(self._find_init, "its first process")
        self._until(self._is_up, "systemd")
        return time.monotonic() - began

    def cut(self) -> None:
        """The plug is pulled: no process of it runs another instruction. What was written is on the disk."""
        if self._nspawn is None:
            return
        if self._init:
            os.kill(self._init, signal.SIGKILL)
        try:
            self._nspawn.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._nspawn, self._init = None, 0
        self._remove_groups()

    def call(self, *words: object, within_s: float = 60.0, environ: Mapping[str, str] | None = None) -> str:
        """What the command says on stdout. Fails when the command does."""
        done = self.attempt(*words, within_s=within_s, environ=environ)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def attempt(
        self, *words: object, within_s: float = 60.0, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command as root in there, to its end."""
        return subprocess.run(
            [*self.inside(), *map(str, words)], env={**ENVIRON, **(environ or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=within_s, start_new_session=True,
        )  # fmt: skip

    def start(self, *words: object, own_group: bool = False) -> subprocess.Popen[str]:
        """A command that goes on; its stdout is a pipe. own_group: it and its children can be killed at once."""
        return subprocess.Popen(
            [*self.inside(), *map(str, words)], env=ENVIRON, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            text=True, start_new_session=own_group,
        )  # fmt: skip

    def inside(self) -> list[str]:
        """What a command is prefixed with to run in there."""
        return ["nsenter", f"--target={self._init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--"]

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """What systemd says of a unit."""
        text = self.call("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.split("=", 1) for line in text.splitlines())

    def journal(self, unit: str, *more: str) -> list[dict[str, Any]]:
        """Its log in this boot, the oldest line first."""
        text = self.call("journalctl", "--boot", "--output=json", "--unit", unit, *more)
        return [json.loads(line) for line in text.splitlines()]

    def console(self) -> str:
        """The end of what it has said on its console."""
        return self._console.read_text(errors="replace")[-3000:] if self._console.exists() else ""

    @staticmethod
    def _put_into_memory(folder: Path) -> Path | None:
        """Where there is plenty: thousands of small files are written and removed there."""
        folder.mkdir(parents=True, exist_ok=True)
        if (available_bytes() or 0) < PLENTY_BYTES:
            return None
        _do("mount", "-t", "tmpfs", "-o", f"size={MOST_BYTES},mode=0755", "none", folder)
        return folder

    def _until(self, fact: Callable[[], bool], what: str) -> None:
        assert self._nspawn is not None
        ends = time.monotonic() + BOOTS_S
        while not fact():
            assert self._nspawn.poll() is None, f"nspawn has ended: {self.console()}"
            assert time.monotonic() < ends, f"{what} did not come up: {self.console()}"
            time.sleep(0.05)

    def _find_init(self) -> bool:
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        self._init = int(children[0]) if children else 0
        return bool(self._init) and Path(f"/proc/{self._init}/comm").read_text().strip() == "systemd"

    def _is_up(self) -> bool:
        done = self.attempt("systemctl", "is-system-running")
        return done.stdout.strip() in ("running", "degraded")

    def _in_own_groups(self) -> list[str]:
        """Two containers in one group would take each other's processes for their own."""
        for group in self._groups:
            group.mkdir(exist_ok=True)
        enter = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
        return ["sh", "-c", enter, "sh", *map(str, self._groups), "--"]

    def _remove_groups(self) -> None:
        ends = time.monotonic() + ENDS_S
        for folder in [Path(place) for group in self._groups for place, _, _ in os.walk(group, topdown=False)]:
            while time.monotonic() < ends:
                try:
                    folder.rmdir()
                    break
                except OSError:  # a process that still ends
                    time.sleep(0.05)


def _do(*words: object) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words[0]}: {done.stderr}"


def copy_in(source: Path, target: Path) -> None:
    """For everybody to read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
