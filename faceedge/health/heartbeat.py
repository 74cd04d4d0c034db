"""Who is alive: every stage beats its heart on progress, the supervisor reads how long ago."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable


class Heart:
    """One stage's pulse. silence_s: how long it may be quiet before the stage counts as stuck."""

    def __init__(self, name: str, silence_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.silence_s = silence_s
        self.faults: Counter[str] = Counter()
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Progress was made, or there was nothing to do."""
        self._last = self._clock()

    @property
    def is_stuck(self) -> bool:
        return self._clock() - self._last > self.silence_s
