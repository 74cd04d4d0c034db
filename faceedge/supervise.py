"""The main thread of a running daemon: what it does at every tick and every second, until it is asked to leave."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceedge.pipeline import Pipeline

log = logging.getLogger(__name__)

TICK_S = 0.05
"""How often grants without a verdict, and threads that make no progress, are looked at."""
CHORES_S = 1.0
STUCK_EXIT = 75
"""Exit code of a daemon that only a new process mends; systemd starts it again."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """ticks: done every 50 ms. chores: done every second. Neither may wait for anything: while the main thread waits,
    systemd hears nothing, and ends the process.

    ailments: what only a new process mends, in words. on_ailing: told once, before the run ends for it. is_leaving:
    somebody asks for the end. is_waiting: a grant is still on its way, which the end of a film waits for, at most for
    patience_s.
    """

    pipeline: Pipeline
    ticks: Sequence[Callable[[], None]]
    chores: Sequence[Callable[[], None]]
    is_leaving: Callable[[], bool]
    is_waiting: Callable[[], bool]
    patience_s: float
    ailments: Callable[[], Sequence[str]] = tuple
    on_ailing: Callable[[Sequence[str]], None] = lambda _: None

    def run(self, *, once: bool) -> int:
        """The exit code. once: until the last frame of every file. Raises what ended a file before its time."""
        chores_at = 0.0
        while not self.is_leaving():
            if ailing := self.ailments():
                log.error("%s; leaving so that a fresh process takes over", ", ".join(ailing))
                self.on_ailing(ailing)
                return STUCK_EXIT
            if once and self.pipeline.is_finished:
                return self._finished()
            self._tick()
            if time.monotonic() >= chores_at:
                chores_at = time.monotonic() + CHORES_S
                for chore in self.chores:
                    chore()
        return 0

    def _finished(self) -> int:
        self._await_verdicts()
        for failure in self.pipeline.failures:
            raise failure
        for chore in self.chores:  # what only they would tell, such as a device that was lost meanwhile
            chore()
        return 0

    def _tick(self) -> None:
        time.sleep(TICK_S)
        for tick in self.ticks:
            tick()

    def _await_verdicts(self) -> None:
        deadline = time.monotonic() + self.patience_s + TICK_S
        while self.is_waiting() and time.monotonic() < deadline and not self.is_leaving():
            self._tick()
