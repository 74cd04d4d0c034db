"""What a detector family knows: where to lay the frame out, and how to read the network's outputs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from faceedge.backends.base import Canvas
from faceedge.types import Floats


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces of one image in its px, best first: boxes (n, 4) x0 y0 x1 y1, scores (n,), landmarks (n, 5, 2) or None."""

    boxes: Floats
    scores: Floats
    landmarks: Floats | None


class DetectorFamily(Protocol):
    """One way to prepare frames for, and to read, a kind of detector."""

    def canvas(self, height: int, width: int, scale: float = 1.0) -> Canvas:
        """Layout of a frame of this size in px; frames with equal canvases share a batch. scale: side of the canvas
        against the usual one, 0..1; where the network takes one size only, it changes nothing."""
        ...

    def decode(
        self, outputs: Mapping[str, NDArray[Any]], index: int, canvas: Canvas, height: int, width: int
    ) -> Detections:
        """Faces of image `index` of the batch, in px of the original frame of height x width."""
        ...
