"""YuNet: anchor-free heads at strides 8, 16 and 32 (Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Canvas, Level
from faceedge.families.base import Detections
from faceedge.families.nms import keep_best
from faceedge.package import Manifest

STRIDES = (8, 16, 32)
DEFAULT_SIDE_PX = 640


class Yunet:
    """score = sqrt(cls * obj); centre = (cell + offset) * stride; size = exp(log size) * stride, no half-cell shift.

    Frames larger than the input are shrunk to fit, never enlarged; the rest of the canvas is black.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._width = manifest.input.width or DEFAULT_SIDE_PX
        self._height = manifest.input.height or DEFAULT_SIDE_PX
        self._score = manifest.score_threshold or 0.6
        self._iou = manifest.nms_iou

    def canvas(self, height: int, width: int) -> Canvas:
        """A letterbox, right and bottom padded to a multiple of 32."""
        scale = min(1.0, self._width / width, self._height / height)
        level = Level(0, 0, max(1, round(width * scale)), max(1, round(height * scale)))
        return Canvas(_up(level.width), _up(level.height), (level,))

    def decode(
        self, outputs: Mapping[str, NDArray[Any]], index: int, canvas: Canvas, height: int, width: int
    ) -> Detections:
        """See DetectorFamily."""
        parts = [self._stride(outputs, index, canvas, stride) for stride in STRIDES]
        scores, boxes, points = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        keep = keep_best(boxes, scores, self._iou)
        level = canvas.levels[0]
        scale = np.array([width / level.width, height / level.height], np.float32)
        return Detections(boxes[keep] * np.tile(scale, 2), scores[keep], points[keep] * scale)

    def _stride(
        self, outputs: Mapping[str, NDArray[Any]], index: int, canvas: Canvas, stride: int
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        score = np.sqrt(outputs[f"cls_{stride}"][index, :, 0] * outputs[f"obj_{stride}"][index, :, 0])
        hits = np.flatnonzero(score >= self._score)
        columns = canvas.width // stride
        cell = np.stack([hits % columns, hits // columns], axis=1).astype(np.float32)
        raw = outputs[f"bbox_{stride}"][index, hits]
        centre, size = cell + raw[:, :2], np.exp(raw[:, 2:])
        boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1) * stride
        points = (outputs[f"kps_{stride}"][index, hits].reshape(-1, 5, 2) + cell[:, None]) * stride
        return score[hits], boxes, points


def _up(side: int) -> int:
    return -(-side // STRIDES[-1]) * STRIDES[-1]
