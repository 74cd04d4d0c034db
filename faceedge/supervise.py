"""The main thread of a running daemon: what it does at every tick and every second, until it is asked to leave."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faceedge.pipeline import Pipeline

log = logging.getLogger(__name__)

TICK_S = 0.05
"""How often grants without a verdict are looked at."""
CHORES_S = 1.0
STUCK_EXIT = 75
"""Exit code of a daemon with a stuck stage; systemd starts it again."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """ticks: done every 50 ms. chores: done every second, as long as no stage is stuck.

    is_leaving: somebody asks for the end. is_waiting: a grant is still on its way, which the end of a film waits for,
    at most for patience_s.
    """

    pipeline: Pipeline
    ticks: Sequence[Callable[[], None]]
    chores: Sequence[Callable[[], None]]
    is_leaving: Callable[[], bool]
    is_waiting: Callable[[], bool]
    patience_s: float

    def run(self, *, once: bool) -> int:
        """The exit code. once: until the last frame of every file. Raises what ended a file before its time."""
        chores_at = 0.0
        while not self.is_leaving():
            if once and self.pipeline.is_finished:
                self._await_verdicts()
                for failure in self.pipeline.failures:
                    raise failure
                for chore in self.chores:  # what only they would tell, such as a device that was lost meanwhile
                    chore()
                return 0
            self._tick()
            if time.monotonic() >= chores_at:
                chores_at = time.monotonic() + CHORES_S
                if stuck := self.pipeline.stuck:
                    log.error("stuck: %s; leaving so that a fresh process takes over", ", ".join(stuck))
                    return STUCK_EXIT
                for chore in self.chores:
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
