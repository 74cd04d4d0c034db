"""How far a build is, from the phases that TensorRT reports: nested, each with steps, from several threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[float, str], None]
"""Takes the share that is done (0..1, never less than before) and the name of the phase."""
EVERY_S = 0.2
_MOST = 0.99
"""Until the plan is there; a second outermost phase begins anew, and the share waits here."""


@dataclass(slots=True)
class _Phase:
    parent: str
    steps: int
    done: int = 0


class Phases:
    """clock: seconds, to report no more often than people look."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0
        self._told_at = -EVERY_S
        self._lock = threading.Lock()

    def start(self, name: str, parent: str, steps: int) -> None:
        """parent: nothing for an outermost phase."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(1, steps))
            self._tell(name)

    def step(self, name: str, step: int) -> None:
        """step: number of the one that is complete, from 0."""
        with self._lock:
            if (phase := self._phases.get(name)) is not None:
                phase.done = min(max(phase.done, step + 1), phase.steps)
                self._tell(name)

    def finish(self, name: str) -> None:
        with self._lock:
            self._phases.pop(name, None)

    def _tell(self, name: str) -> None:
        share = max((self._done(root, 8) for root, phase in self._phases.items() if not phase.parent), default=0.0)
        self._share = max(self._share, min(share, _MOST))
        if self._clock() - self._told_at >= EVERY_S:
            self._told_at = self._clock()
            self._report(self._share, name)

    def _done(self, name: str, depth: int) -> float:
        """Steps that are complete, and of the one under way what its own phases have done."""
        phase = self._phases[name]
        if depth == 0 or phase.done >= phase.steps:
            return min(phase.done / phase.steps, 1.0)
        inner = max((self._done(one, depth - 1) for one, it in self._phases.items() if it.parent == name), default=0.0)
        return (phase.done + inner) / phase.steps
