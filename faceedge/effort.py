"""How much the house does at this moment: set by the governor (`health/governor.py`), read by every stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """batch: the most members of one batch; an engine's own limit holds beside it. extras: what no decision needs, as
    the capture of crops and the preview. detector_scale: side of the detector's input against the usual, 0..1.
    frame_gap_s: frames of one camera that follow another faster than this are passed over.
    """

    batch: int = 16
    extras: bool = True
    detector_scale: float = 1.0
    frame_gap_s: float = 0.0


FULL = Effort()
"""Nothing is held back."""
