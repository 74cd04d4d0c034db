"""Grades of the faces of one camera in, what they are now, what is usual, and when they have fallen out. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

RECENT, BEFORE = 50, 450
"""Grades that are now, and those before them that are usual."""
OF_ONE = 5
"""Grades of one face in a row that count: somebody who waits at the door with a turned head is no trend."""
ENOUGH = 20
"""Grades before a median is shown."""
ENOUGH_TO_JUDGE = 100
"""Usual ones before a fall is told."""
FALLS_BY, AT_LEAST = 0.25, 0.1
"""Share of the usual by which the recent ones must have sunk, and of the whole scale. Half of it and they are back."""
EVERY = 10
"""Grades between two looks."""


@dataclass(slots=True)
class Trend:
    """A dirty lens or a dead lamp shows as a median that falls. While it is low, what is usual stays as it was."""

    is_low: bool = False
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    _before: deque[float] = field(default_factory=lambda: deque(maxlen=BEFORE))
    _count: int = 0
    _track: int = -1
    _of_track: int = 0

    def add(self, quality: float, track: int) -> bool:
        """One face of a track was graded, 0..1. True when `is_low` has changed by it."""
        self._of_track = self._of_track + 1 if track == self._track else 1
        self._track = track
        if self._of_track > OF_ONE:
            return False
        if len(self._recent) == RECENT and not self.is_low:
            self._before.append(self._recent[0])
        self._recent.append(quality)
        self._count += 1
        return self._count % EVERY == 0 and self._look()

    @property
    def quality(self) -> float | None:
        """Median of the recent grades; None before there are enough."""
        return median(self._recent) if len(self._recent) >= ENOUGH else None

    @property
    def usual(self) -> float | None:
        """Median of those before; None before there are enough."""
        return median(self._before) if len(self._before) >= ENOUGH else None

    def _look(self) -> bool:
        if len(self._before) < ENOUGH_TO_JUDGE:
            return False
        usual, was_low = median(self._before), self.is_low
        fall = max(AT_LEAST, FALLS_BY * usual)
        self.is_low = median(self._recent) < usual - (fall / 2 if was_low else fall)
        return self.is_low != was_low
