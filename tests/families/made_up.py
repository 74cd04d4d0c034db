"""Outputs of strided detectors, written by hand: silence, and faces where a test wants them."""

from __future__ import annotations

from typing import Any

import numpy as np

from faceedge.backends.base import Canvas
from faceedge.manifest import InputSize, Manifest, Normalisation, Source
from faceedge.types import Floats

STRIDES = (8, 16, 32)
SIDES_PX = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
FAMILIES = ("retinaface", "scrfd", "yunet")
BOX = (40.0, 60.0, 100.0, 150.0)
POINTS = ((55.0, 90.0), (85.0, 91.0), (70.0, 110.0), (58.0, 130.0), (82.0, 131.0))


def manifest(family: str, *, side: int = 320, fixed: bool = False, **fields: Any) -> Manifest:
    """A detector of this family with canvases of at most, or of exactly, side x side px."""
    return Manifest(
        name="toy", version="1", role="detector", family=family, normalisation=Normalisation(colour="bgr"),
        source=Source(sha256="0" * 64, licence="MIT"), input=InputSize(width=side, height=side, fixed=fixed),
        **{"nms_iou": 0.4, **fields},
    )  # fmt: skip


def silence(family: str, canvas: Canvas, batch: int = 1) -> dict[str, Floats]:
    """Outputs of the right shapes in which nothing scores."""
    cells = {stride: (canvas.height // stride) * (canvas.width // stride) for stride in STRIDES}
    if family == "retinaface":
        kinds, rows = {"cls": 2, "bbox": 4, "landmark": 10}, {"": 2 * sum(cells.values())}
    elif family == "scrfd":
        kinds, rows = {"score": 1, "bbox": 4, "kps": 10}, {f"_{s}": 2 * n for s, n in cells.items()}
    else:
        kinds, rows = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}, {f"_{s}": n for s, n in cells.items()}
    return {
        kind + suffix: np.zeros((batch, n, width), np.float32)
        for kind, width in kinds.items()
        for suffix, n in rows.items()
    }


def say(
    family: str, outputs: dict[str, Floats], canvas: Canvas, score: float, *, image: int = 0, stride: int = 16,
    cell: tuple[int, int] = (6, 4), anchor: int = 0, box: tuple[float, ...] = BOX,
) -> None:  # fmt: skip
    """Writes a face into the row of a cell (row, column): its box in canvas px, and POINTS."""
    row, column = cell
    at = row * (canvas.width // stride) + column
    centre, size = np.add(box[:2], box[2:]) / 2, np.subtract(box[2:], box[:2])
    point = np.array([column, row], np.float64)
    if family == "yunet":
        outputs[f"cls_{stride}"][image, at] = outputs[f"obj_{stride}"][image, at] = score
        outputs[f"bbox_{stride}"][image, at] = [*(centre / stride - point), *np.log(size / stride)]
        outputs[f"kps_{stride}"][image, at] = (np.array(POINTS) / stride - point).ravel()
    elif family == "scrfd":
        at, point = 2 * at + anchor, point * stride
        outputs[f"score_{stride}"][image, at] = score
        outputs[f"bbox_{stride}"][image, at] = np.array([*(point - box[:2]), *(box[2:] - point)]) / stride
        outputs[f"kps_{stride}"][image, at] = ((POINTS - point) / stride).ravel()
    else:
        coarser = [(canvas.height // one) * (canvas.width // one) for one in STRIDES if one < stride]
        at, side, point = 2 * (sum(coarser) + at) + anchor, SIDES_PX[stride][anchor], (point + 0.5) * stride
        outputs["cls"][image, at] = [1 - score, score]
        outputs["bbox"][image, at] = [*(centre - point) / (0.1 * side), *np.log(size / side) / 0.2]
        outputs["landmark"][image, at] = ((POINTS - point) / (0.1 * side)).ravel()
