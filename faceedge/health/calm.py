"""A condition that comes and goes in, only what has lasted out. Pure, times are monotonic seconds.

Whoever looks after a door wants to hear of a camera that stands still, once, and of its return. Not of a quiet corridor
whose pictures are now and then equal for some seconds, nor all night of a light that people switch on by walking by.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

LASTS_S = 10.0
"""So long a condition must hold to be told. For one that is not well, each telling doubles it for an hour."""
LASTS_AT_MOST_S = 600.0
REMEMBERED_S = 3600.0


@dataclass(slots=True)
class Calm(Generic[T]):
    """well: what goes without saying until something else was told. told: what was told last."""

    well: T
    told: T = field(init=False)
    _now: T = field(init=False)
    _since_s: float = 0.0
    _tellings: deque[float] = field(default_factory=lambda: deque(maxlen=16))

    def __post_init__(self) -> None:
        self.told = self._now = self.well

    def is_news(self, condition: T, at_s: float) -> bool:
        """Whether this is to be told now; then it counts as told. Call it again and again while it holds."""
        if condition != self._now:
            self._now, self._since_s = condition, at_s
        if condition == self.told or at_s - self._since_s < self._lasts_s(condition, at_s):
            return False
        self.told = condition
        if condition != self.well:
            self._tellings.append(at_s)
        return True

    def _lasts_s(self, condition: T, at_s: float) -> float:
        if condition == self.well:
            return LASTS_S
        lately = sum(at_s - told_s < REMEMBERED_S for told_s in self._tellings)
        return min(LASTS_AT_MOST_S, LASTS_S * 2.0**lately)
