"""Portraits of a live camera in, guidance and the shots worth enrolling out. Pure: the clock is passed in.

Who stands there is told what to change; good shots that differ are kept, one person only, until there are enough.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from faceedge.decide import TRUSTED_QUALITY
from faceedge.types import Assessment, Face, Floats, Image, Template

if TYPE_CHECKING:
    from faceedge.jobs.vision import Portrait

WANTED = 5
LIMIT_S = 30.0
APART_S = 0.6
"""Two shots of the same pose lie this far apart at least."""
MOVED_APART_S = 0.2
MOVED = 0.06
"""A landmark that moved by this share of the face's width, within the face, makes another pose."""

NOBODY, CROWD, STILL = "stand before the camera", "one person only", "move your head a little"
HINTS = {
    "too small": "come closer",
    "turned away": "turn to the camera",
    "too dark": "more light",
    "low contrast": "more light",
    "over-exposed": "less light",
    "blurred": "hold still",
    "covered": "show your whole face",
    "not a face": "show your whole face",
    "covered or unclear": "hold still and show your whole face",
}
Alike = Callable[[Template, Template], float]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One shot worth enrolling. image: the whole picture, uint8 BGR. at_s: when it was taken."""

    image: Image
    portrait: Portrait
    at_s: float
    pixels: bytes


class Burst:
    """Feed it every picture; `guidance` says what to show, `kept` what there is.

    alike: similarity of two templates. grey: below this, two shots are not of one person.
    """

    def __init__(self, alike: Alike, grey: float, start_s: float, wanted: int = WANTED) -> None:
        self._alike = alike
        self._grey = grey
        self._start_s = start_s
        self._wanted = wanted
        self._hints: Counter[str] = Counter()
        self.guidance = NOBODY
        self.kept: tuple[Kept, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Enough good shots that differ."""
        return len(self.kept) >= self._wanted

    def is_late(self, at_s: float) -> bool:
        """The time is over."""
        return at_s - self._start_s >= LIMIT_S

    @property
    def commonest(self) -> str:
        """What stood in the way most often."""
        return self._hints.most_common(1)[0][0] if self._hints else NOBODY

    def feed(self, image: Image, portraits: Sequence[Portrait], at_s: float) -> str:
        """Weighs one picture and returns the guidance."""
        if self.is_complete:
            return self.guidance
        return self._tell(_hint(portraits) or self._weigh(image, portraits[0], at_s))

    def pass_over(self, hint: str) -> None:
        """A picture that shows nobody to be kept, for this reason."""
        self._tell(hint)

    def start_over(self) -> None:
        """What was kept is let go; what stood in the way stays known."""
        self.kept = ()

    def _tell(self, hint: str | None) -> str:
        if hint is not None:
            self._hints[hint] += 1
        progress = f"good: {len(self.kept)} of {self._wanted}"
        is_told = hint is not None and (hint != STILL or not self.kept)
        self.guidance = str(hint) if is_told else progress
        return self.guidance

    def _weigh(self, image: Image, portrait: Portrait, at_s: float) -> str | None:
        """Keeps the shot when it differs from all others, or is better than the only one that it resembles."""
        shot = Kept(image, portrait, at_s, hashlib.sha256(portrait.crop.tobytes()).digest())
        if any(self._alike(portrait.template, other.portrait.template) < self._grey for other in self.kept):
            return CROWD
        near = [other for other in self.kept if not differ(shot, other)]
        if not near:
            self.kept += (shot,)
            return None
        if len(near) == 1 and _quality(shot) > _quality(near[0]):
            self.kept = tuple(shot if other is near[0] else other for other in self.kept)
        return STILL


def instruction(assessment: Assessment) -> str | None:
    """What the person is to change, None when the picture is good."""
    if assessment.quality >= TRUSTED_QUALITY:
        return None
    return HINTS.get(assessment.reasons[0], assessment.reasons[0]) if assessment.reasons else "hold still"


def _hint(portraits: Sequence[Portrait]) -> str | None:
    """Why this picture cannot be used, as an instruction to the person."""
    if not portraits:
        return NOBODY
    return CROWD if len(portraits) > 1 else instruction(portraits[0].assessment)


def differ(one: Kept, two: Kept) -> bool:
    """Other pixels, and another moment or, a little later, another pose."""
    apart_s = round(abs(one.at_s - two.at_s), 3)  # the clock counts since boot: its fractions are not exact
    if one.pixels == two.pixels or apart_s < MOVED_APART_S:
        return False
    moved = np.abs(_pose(one.portrait.face) - _pose(two.portrait.face)).max()
    return apart_s >= APART_S or bool(moved >= MOVED)


def _pose(face: Face) -> Floats:
    """Landmarks (5, 2) relative to their middle, in widths of the face."""
    points = face.landmarks - face.landmarks.mean(axis=0)
    return np.asarray(points / max(face.width_px, 1.0), np.float32)


def _quality(shot: Kept) -> float:
    return shot.portrait.assessment.quality
