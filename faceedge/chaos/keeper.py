"""Stands for systemd: starts the daemon, listens to its watchdog, starts another when it ends or falls silent.

The unit it stands for: Type=notify, WatchdogSec=4, Restart=on-failure, RestartSec=0.5, KillMode=control-group.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

WATCHDOG_S = 4.0
RESTART_AFTER_S = 0.5
START_LIMIT_S = 60.0
ABORT_WITHIN_S = 1.0
"""What does not end of SIGABRT by then is killed."""


class Process(Protocol):
    """As `demo.children.Child` has it."""

    def code(self) -> int | None:
        """The exit code, None while it runs; negative is the signal that ended it."""
        ...

    def signal_group(self, number: signal.Signals) -> None:
        """Reaches it and whatever it has started."""
        ...


@dataclass(frozen=True, slots=True)
class Ending:
    """at: monotonic seconds. code: as `Process.code`. why: `ended`, `watchdog`, `start`."""

    at: float
    code: int
    why: str


class Keeper:
    """One thread calls it. start: makes a process. on_end: told of every ending."""

    def __init__(
        self, start: Callable[[], Process], clock: Callable[[], float], on_end: Callable[[Ending], None]
    ) -> None:
        self._start = start
        self._clock = clock
        self._on_end = on_end
        self._process: Process | None = None
        self._start_at: float | None = None
        self._alive = clock()
        self._aborted: float | None = None
        self._why = "ended"
        self.starts = 0
        self.is_ready = False

    @property
    def process(self) -> Process | None:
        """The one that runs."""
        return self._process

    def begin(self) -> None:
        """Starts the first one, or the one after a hold, at the next tick."""
        self._start_at = self._clock()

    def hold(self) -> None:
        """Starts no other when this one ends."""
        self._start_at = float("inf")

    def heard(self, message: str) -> None:
        """What the daemon tells, in the lines of sd_notify(3)."""
        lines = message.split("\n")
        self.is_ready |= "READY=1" in lines
        if "READY=1" in lines or "WATCHDOG=1" in lines:
            self._alive = self._clock()

    def tick(self) -> None:
        """Call it every 20 ms or so."""
        if self._process is None:
            if self._start_at is not None and self._clock() >= self._start_at:
                self._begin()
        elif (code := self._process.code()) is not None:
            self._end(self._process, code)
        else:
            self._watch(self._process)

    def _begin(self) -> None:
        self._start_at = None
        self._alive = self._clock()
        self._aborted, self._why, self.is_ready = None, "ended", False
        self.starts += 1
        self._process = self._start()

    def _watch(self, process: Process) -> None:
        now = self._clock()
        if self._aborted is not None:
            if now - self._aborted > ABORT_WITHIN_S:
                process.signal_group(signal.SIGKILL)
        elif now - self._alive > (WATCHDOG_S if self.is_ready else START_LIMIT_S):
            self._aborted, self._why = now, "watchdog" if self.is_ready else "start"
            process.signal_group(signal.SIGABRT)

    def _end(self, process: Process, code: int) -> None:
        """After a clean end nothing is started, as on-failure says: a daemon that leaves unasked is not mended."""
        process.signal_group(signal.SIGKILL)  # what it has started
        self._process, self.is_ready = None, False
        if self._start_at is None and code != 0:
            self._start_at = self._clock() + RESTART_AFTER_S
        self._on_end(Ending(self._clock(), code, self._why))
