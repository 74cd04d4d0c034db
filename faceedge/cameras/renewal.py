"""Faults of a camera's pictures in; when it is opened anew because they stand still, and when they count again, out.

A camera that hangs while its stream goes on is often mended by a new connection. But its first pictures may differ
from those before and still show what hung: until they have moved for long enough, nobody is recognised in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from faceedge.cameras.watch import STILL_S, Fault

RENEW_AFTER_S = 10.0
"""Of pictures that stand still, and again after so many more."""
PROOF_S = STILL_S + 0.5


@dataclass(slots=True)
class Renewal:
    """Of one camera; one thread. Times are those of its pictures."""

    _now_s: float = 0.0
    _still_since_s: float | None = None
    _is_new: bool = False
    _counts_from_s: float = -math.inf

    def see(self, fault: Fault | None, captured: float) -> bool:
        """Whether this picture counts, as far as it depends on openings."""
        self._now_s = captured
        if fault is None or fault.kind != "frozen":
            self._still_since_s = None
        elif self._still_since_s is None:
            self._still_since_s = captured
        if self._is_new:
            self._is_new, self._counts_from_s = False, captured + PROOF_S
        return captured >= self._counts_from_s

    def is_due(self) -> bool:
        """Whether to open the camera anew now; True once."""
        if self._still_since_s is None or self._now_s - self._still_since_s < RENEW_AFTER_S:
            return False
        self._still_since_s, self._is_new = None, True
        self._counts_from_s = math.inf
        return True
