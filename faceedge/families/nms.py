"""Which of several overlapping boxes stay."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES = 2000
"""Only the best of more are compared with each other: a network that fires everywhere must not hold up the door."""


def keep_best(boxes: NDArray[Any], scores: NDArray[Any], iou: float) -> NDArray[np.intp]:
    """Indices of greedy non-maximum suppression, best score first; scores above 0, boxes (n, 4) x0 y0 x1 y1."""
    rectangles = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), 0.0, iou, top_k=MAX_CANDIDATES)
    return np.array(kept, np.intp)


def overlap(box: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Intersection over union of one box (4,) with others (n, 4)."""
    corner = np.maximum(box[:2], others[:, :2])
    sides = np.clip(np.minimum(box[2:], others[:, 2:]) - corner, 0, None)
    shared = sides[:, 0] * sides[:, 1]
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    return np.asarray(shared / np.maximum(area + areas - shared, 1e-9))
