"""How long to wait before a camera that failed is opened again: longer each time, and never twice the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom

SHORTEST_S = 0.25
LONGEST_S = 2.5
"""With the end of a vain attempt, the start of a process and the opening, a camera that is back is seen again within
5 s. Of 400 cuts the longest took 4.7 s with 3.0 here, on a busy machine."""
GROWS = 3.0
HEALTHY_S = 10.0
"""Having delivered for so long, the next fault is a new one."""


@dataclass(slots=True)
class Backoff:
    """Of one camera. The jitter keeps many cameras behind one switch from asking all at once ("decorrelated jitter",
    AWS Architecture Blog, "Exponential Backoff And Jitter")."""

    rng: Random = field(default_factory=SystemRandom)
    clock: Callable[[], float] = time.monotonic
    _last_s: float = SHORTEST_S
    _delivers_since: float | None = None

    def delivered(self) -> None:
        """A picture came."""
        if self._delivers_since is None:
            self._delivers_since = self.clock()

    def failed(self) -> float:
        """Seconds to wait now."""
        if self._delivers_since is not None and self.clock() - self._delivers_since >= HEALTHY_S:
            self._last_s = SHORTEST_S
        self._delivers_since = None
        self._last_s = min(LONGEST_S, self.rng.uniform(SHORTEST_S, GROWS * self._last_s))
        return self._last_s
