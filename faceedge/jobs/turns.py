"""Several works in, times of each out, taken in turns so that the noise of a machine hits all alike.

Whoever has had the least of its share of the time is next. The first call of a turn brings buffers and caches to its
shape, which work of another shape has changed, and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

Clock = Callable[[], float]
Seconds = dict[str, float]
Progress = Callable[[str, float], None]

TURN_S, MOST_A_TURN = 0.2, 8
LEAST = 3
"""Samples that every work gets, also when that takes longer than asked."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, quartiles and 95th percentile of some samples."""

    median: float
    q1: float
    q3: float
    p95: float
    samples: int


@dataclass(slots=True)
class Work:
    """One thing to be timed. share: of the time, beside the others'. call: does it once and tells seconds by part of
    it. renew: is called before every turn."""

    share: float
    call: Callable[[], Seconds]
    renew: Callable[[], object] = lambda: None
    samples: list[Seconds] = field(default_factory=list)
    spent_s: float = 0.0


class Lap:
    """Seconds since the last note, by name."""

    def __init__(self, clock: Clock) -> None:
        self.seconds: Seconds = {}
        self._clock = clock
        self._last = clock()

    def note(self, name: str) -> None:
        """Since the last note, or the beginning."""
        now = self._clock()
        self.seconds[name] = now - self._last
        self._last = self._clock()


def take_turns(works: Sequence[Work], until_s: float, clock: Clock, tell: Callable[[], None]) -> None:
    """Fills `samples` of every work until the clock shows `until_s` and all have `LEAST`. tell: after every turn."""
    while works:
        lacking = [work for work in works if len(work.samples) < LEAST]
        is_over = clock() >= until_s
        if is_over and not lacking:
            return
        _turn(min(lacking if is_over else works, key=lambda work: work.spent_s / work.share), clock)
        tell()


def _turn(work: Work, clock: Clock) -> None:
    start = clock()
    work.renew()
    first_s = sum(work.call().values())
    times = round(min(MOST_A_TURN, max(1, TURN_S / max(first_s, 1e-6))))
    work.samples += [work.call() for _ in range(times)]
    work.spent_s += clock() - start


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    q1, middle, q3, p95 = (float(cut) for cut in np.percentile(values, (25, 50, 75, 95)))
    return Spread(middle, q1, q3, p95, len(values))


def slowed(taken: Sequence[float]) -> float:
    """How much slower the last third was than the first: 1.2 is 20 %. 1 where there are too few to tell."""
    third = len(taken) // 3
    return median(taken[-third:]) / median(taken[:third]) if third >= LEAST else 1.0
