"""A condition that comes and goes in, what of it is worth telling out. Pure, times are monotonic seconds.

Whoever looks after a door wants to hear of a camera that stands still, at once, and of its return. Not each time that a
quiet corridor gives equal pictures for some seconds, nor all night of a light that people switch on by walking by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

LASTS_S = 10.0
"""The first time, what is not well is told at once. What comes again must have lasted this long to be told, then twice
as long, and so on, until all has been well for an hour. That it is well again is told when it has lasted this long."""
LASTS_AT_MOST_S = 600.0
FORGOTTEN_AFTER_S = 3600.0


@dataclass(slots=True)
class Calm(Generic[T]):
    """well: what goes without saying until something else was told. told: what was told last."""

    well: T
    told: T = field(init=False)
    _now: T = field(init=False)
    _since_s: float = 0.0
    _ailed_s: float = -math.inf
    _tellings: int = 0

    def __post_init__(self) -> None:
        self.told = self._now = self.well

    def is_news(self, condition: T, at_s: float) -> bool:
        """Whether this is to be told now; then it counts as told. Call it again and again while it holds."""
        if condition != self._now:
            self._now, self._since_s = condition, at_s
        if condition != self.well:
            self._tellings = self._tellings if at_s - self._ailed_s < FORGOTTEN_AFTER_S else 0
            self._ailed_s = at_s
        if condition == self.told or at_s - self._since_s < self._lasts_s(condition):
            return False
        self.told = condition
        self._tellings += condition != self.well
        return True

    def _lasts_s(self, condition: T) -> float:
        if condition == self.well:
            return LASTS_S
        return min(LASTS_AT_MOST_S, LASTS_S * 2.0 ** (self._tellings - 1)) if self._tellings else 0.0
