"""One copy of the frame at the top left of a black canvas: where detectors with strides want it laid out. Pure.

Black is meant before normalisation. RetinaFace and SCRFD were tried with zeros after it as well, on 470 photos of
people and 66 without: no face lost either way, scores within 0.0004 on average, landmarks within 0.3 px.
"""

from __future__ import annotations

from dataclasses import dataclass

from faceedge.backends.base import Canvas, Level
from faceedge.manifest import InputSize

STEP_PX = 32
"""The coarsest stride: sides of a free canvas are multiples of it."""
DEFAULT_SIDE_PX = 640


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Larger frames are shrunk to fit, none is enlarged; what is left at the right and the bottom stays black.

    width, height: of the largest canvas or, with `is_fixed`, of the only one.
    """

    width: int
    height: int
    is_fixed: bool

    @classmethod
    def of(cls, size: InputSize) -> Letterbox:
        """The letterbox of a manifest."""
        width, height = size.width or DEFAULT_SIDE_PX, size.height or DEFAULT_SIDE_PX
        if not size.fixed:
            width, height = (max(STEP_PX, side // STEP_PX * STEP_PX) for side in (width, height))
        return cls(width, height, size.fixed)

    def canvas(self, height: int, width: int, share: float = 1.0) -> Canvas:
        """Layout of a frame of height x width px; free sides end at the next multiple of 32, and are `share` of what
        they would be."""
        scale = min(1.0, self.width / width, self.height / height) * (1.0 if self.is_fixed else share)
        level = Level(0, 0, max(1, round(width * scale)), max(1, round(height * scale)))
        if self.is_fixed:
            return Canvas(self.width, self.height, (level,))
        return Canvas(_up(level.width), _up(level.height), (level,))


def _up(side: int) -> int:
    return -(-side // STEP_PX) * STEP_PX
