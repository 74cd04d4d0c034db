"""Faults of a camera's pictures in; when it is opened anew because they stand still, and when they count again, out.

A camera that hangs while its stream goes on is often mended by a new connection. But its first pictures may differ
from those before and still show what hung: until they have moved for long enough, nobody is recognised in them.
"""

from __future__ import annotations

from dataclasses import dataclass

from faceedge.cameras.watch import LONGEST_STEP_S, STILL_S, Fault

RENEW_AFTER_S = 10.0
"""Of pictures that stand still, and again after so many more."""
PROOF_S = STILL_S + 0.5
UNPROVEN = Fault(
    "frozen", "its picture stood still, and it was opened anew: its pictures must move before they count again", True
)


@dataclass(slots=True)
class Renewal:
    """Of one camera, across all its openings; one thread. Times are those of its pictures."""

    _captured: float = 0.0
    _still_since_s: float | None = None
    _is_new: bool = False
    _unproven_s: float = 0.0
    """Of pictures that are still to be seen before they count."""

    def see(self, fault: Fault | None, captured: float) -> Fault | None:
        """What is wrong with this picture when the openings are taken into account, too."""
        if fault is None or fault.kind != "frozen":
            self._still_since_s = None
        elif self._still_since_s is None:
            self._still_since_s = captured
        # As in `watch.py`: time without a picture proves nothing.
        step_s = 0.0 if self._is_new else min(LONGEST_STEP_S, max(0.0, captured - self._captured))
        self._captured, self._is_new = captured, False
        self._unproven_s = max(0.0, self._unproven_s - step_s)
        is_proven = self._unproven_s < 1e-6  # steps of a float
        return fault if is_proven or (fault is not None and fault.shuts) else UNPROVEN

    def is_due(self) -> bool:
        """Whether to open the camera anew now; True once."""
        if self._still_since_s is None or self._captured - self._still_since_s < RENEW_AFTER_S:
            return False
        self._begin()
        return True

    def lost(self) -> None:
        """It has failed and will be opened anew for that: no shorter way to be believed again."""
        if self._still_since_s is not None or self._unproven_s > 0:
            self._begin()

    def _begin(self) -> None:
        self._still_since_s, self._is_new, self._unproven_s = None, True, PROOF_S
