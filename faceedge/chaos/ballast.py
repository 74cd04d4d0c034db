"""A small house: a cgroup with a memory limit, and ballast that fills it to a share of that. v1 and v2, as root.

    with cage(limit) as room, Ballast(room) as ballast:
        start([*room.around, "faceedge", "run"])
        ballast.fill(0.8)

Where no cgroup can be made, `cage` says so with Uncaged. What ran inside must have ended before the cage goes. The v2
half is written for JetPack's systemd and has not run on it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from faceedge.errors import FaceedgeError
from faceedge.health.cgroup import V1, V2, Layout, own_groups, used_share
from faceedge.health.machine import ROOT, read_text

STEP_BYTES = 4 << 20
GONE_WITHIN_S = 2.0
NEAR = 0.004
"""Of the limit: how close to the wished share is close enough."""
ENTER = (
    "import os, sys\nwith open(sys.argv[1], 'w') as group: group.write(str(os.getpid()))\n"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)
HOLD = """
import sys
step, held = int(sys.argv[1]), []
for line in sys.stdin:
    wanted = int(line)
    while len(held) < wanted:
        held.append(bytearray(b"x" * step))
    del held[wanted:]
    sys.stdout.write("held\\n")
    sys.stdout.flush()
"""
"""Holds as many steps as each line says, every page of them written to."""


class Uncaged(FaceedgeError):
    """No memory-limited cgroup can be made here; the text says why."""


@dataclass(frozen=True, slots=True)
class Cage:
    """A group of its own. Whatever is started by `around` is in it from its first page on, with all its children."""

    folder: Path
    layout: Layout

    @property
    def around(self) -> tuple[str, ...]:
        """What a command is started by."""
        return (sys.executable, "-S", "-c", ENTER, str(self.folder / "cgroup.procs"))

    @property
    def share(self) -> float:
        """Used of the limit, as the governor counts it."""
        return used_share(self.layout, self.folder) or 0.0

    @property
    def killed(self) -> int:
        """Processes in it that the kernel has ended because memory was out."""
        lines = read_text(self.folder / ("memory.oom_control" if self.layout is V1 else "memory.events")).splitlines()
        return sum(int(value) for name, _, value in (line.partition(" ") for line in lines) if name == "oom_kill")


@contextmanager
def cage(limit_bytes: int, root: Path = ROOT) -> Iterator[Cage]:
    """A new group with this limit and no swap, until the end of the block. Raises Uncaged."""
    made = _made(limit_bytes, root)
    try:
        yield made
    finally:
        _remove(made.folder)


class Ballast:
    """A process in the cage. Use it in a `with` block."""

    def __init__(self, room: Cage, step_bytes: int = STEP_BYTES) -> None:
        self._room = room
        self._step_bytes = step_bytes
        self._steps = 0
        command = [*room.around, sys.executable, "-S", "-c", HOLD, str(step_bytes)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Ballast:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Leaving closes its pipes; a line that one which was taken has not read cannot be written any more.
        with suppress(BrokenPipeError), self._child:
            self._child.kill()

    @property
    def is_alive(self) -> bool:
        """False: the kernel has taken it."""
        return self._child.poll() is None

    def fill(self, share: float, within_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> float:
        """Holds what is missing to this share of the limit; gives the share there is then. A few steps at a time, so
        that others may answer. What the others take or give afterwards is theirs."""
        limit, ends = self._limit(), clock() + within_s
        while self.is_alive and clock() < ends:
            missing = share - self._room.share
            if abs(missing) <= max(NEAR, self._step_bytes / limit):
                break
            steps = round(missing * limit / self._step_bytes)
            self._hold(self._steps + max(-8, min(8, steps)))
        return self._room.share

    def drop(self) -> None:
        """Lets go of all."""
        self._hold(0)

    def _limit(self) -> int:
        return int(read_text(self._room.folder / self._room.layout.limits[0]))

    def _hold(self, steps: int) -> None:
        self._steps = max(0, steps)
        to, back = self._child.stdin, self._child.stdout
        assert to is not None, "asked for"
        assert back is not None, "asked for"
        try:
            to.write(f"{self._steps}\n")
            to.flush()
            back.readline()
        except BrokenPipeError:
            self._steps = 0


def _made(limit_bytes: int, root: Path) -> Cage:
    """Below the own group in v1, below the mount in v2, where a group with processes may have none below it."""
    places = own_groups(root)
    candidates = [(V1, folder) for layout, folder in places if layout is V1][:1]
    candidates += [(V2, folder) for layout, folder in places if layout is V2][-1:]
    why = "no memory cgroup is mounted"
    for layout, parent in candidates:
        folder = parent / f"faceedge-{os.getpid()}"
        try:
            folder.mkdir()
            (folder / layout.limits[0]).write_text(str(limit_bytes), encoding="ascii")
            _without_swap(folder)
        except OSError as error:
            why = f"{folder}: {error.strerror}; run it as root, where systemd accounts memory"
            _remove(folder)
            continue
        return Cage(folder, layout)
    raise Uncaged(f"no cgroup can be limited here: {why}")


def _without_swap(folder: Path) -> None:
    for name, value in (("memory.swap.max", "0"), ("memory.swappiness", "0")):
        if (folder / name).exists():
            (folder / name).write_text(value, encoding="ascii")


def _remove(folder: Path) -> None:
    """The kernel may need a moment to see that the last process has gone."""
    ends = time.monotonic() + GONE_WITHIN_S
    while folder.is_dir():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.02)
