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
PAUSE_S = 0.5
"""Who wakes so much too late was not let run, and nor were the others: the process was stopped, its machine paused,
its memory on the disk. That is no hang, and three of them are no reason for a safe mode."""
STUCK_EXIT = 75
"""Exit code of a daemon that only a new process mends; systemd starts it again."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """ticks: done every 50 ms. chores: done every second. Neither may wait for anything: while the main thread waits,
    systemd hears nothing, and ends the process.

    ailments: what only a new process mends, in words. on_ailing: told once, before the run ends for it. is_leaving:
    somebody asks for the end. is_waiting: a grant is still on its way, which the end of a film waits for, at most for
    patience_s. on_pause: told for how many seconds the whole process stood still, before ailments are asked again.
    """

    pipeline: Pipeline
    ticks: Sequence[Callable[[], None]]
    chores: Sequence[Callable[[], None]]
    is_leaving: Callable[[], bool]
    is_waiting: Callable[[], bool]
    patience_s: float
    ailments: Callable[[], Sequence[str]] = tuple
    on_ailing: Callable[[Sequence[str]], None] = lambda _: None
    on_pause: Callable[[float], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

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
            if self.clock() >= chores_at:
                chores_at = self.clock() + CHORES_S
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
        """Only the sleep is measured: a tick that takes long is a fault of ours, and excuses nobody."""
        before = self.clock()
        self.sleep(TICK_S)
        paused_s = self.clock() - before - TICK_S
        if paused_s >= PAUSE_S:
            log.warning("the process stood still for %.1f s", paused_s)
            self.on_pause(paused_s)
        for tick in self.ticks:
            tick()

    def _await_verdicts(self) -> None:
        deadline = self.clock() + self.patience_s + TICK_S
        while self.is_waiting() and self.clock() < deadline and not self.is_leaving():
            self._tick()
