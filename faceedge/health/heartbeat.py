"""Who is alive: every stage beats its heart on progress, the watchdog reads how long ago."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

FAILING_S = 10.0
FAILING_LEAST = 3
"""A stage that for so long has done nothing but fail, so often at least, will not mend itself."""


class Heart:
    """One thread's pulse. silence_s: how long it may be quiet before it counts as stuck.

    streak: faults since it last succeeded.
    """

    def __init__(self, name: str, silence_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.silence_s = silence_s
        self.faults: Counter[str] = Counter()
        self.streak = 0
        self._clock = clock
        self._last = clock()
        self._first_fault = self._last_fault = 0.0

    def beat(self) -> None:
        """Progress was made, or there was nothing to do."""
        self._last = self._clock()

    def excuse(self, seconds: float) -> None:
        """Nobody in this process could run for so long, so that nobody could have made progress."""
        self._last = min(self._clock(), self._last + seconds)

    def fault(self, kind: str) -> None:
        """A piece of work failed."""
        self.faults[kind] += 1
        self._last_fault = self._clock()
        if self.streak == 0:
            self._first_fault = self._last_fault
        self.streak += 1

    def worked(self) -> None:
        """A piece of work was done."""
        self.streak = 0

    @property
    def is_stuck(self) -> bool:
        return self._clock() - self._last > self.silence_s

    @property
    def is_failing(self) -> bool:
        """Nothing but faults for a while."""
        return self.streak >= FAILING_LEAST and self._last_fault - self._first_fault >= FAILING_S
