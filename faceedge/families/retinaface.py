"""RetinaFace: SSD anchors at strides 8, 16 and 32 (Deng et al.: RetinaFace, CVPR 2020; the MobileNet form of
Pytorch_Retinaface)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Canvas
from faceedge.families.strided import NOTHING, Heads, Rows, Strided, cells, grid

HEADS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""Stride, and the sides of its cells' anchors, in px: squares around the middle of the cell."""
CENTRE, SIZE = 0.1, 0.2
"""The variances that training divided offsets and log sizes by."""


class Retinaface(Strided):
    """centre = anchor + offset * 0.1 * side; size = side * exp(log size * 0.2); landmark = anchor + offset * 0.1 *
    side; score = the second of two classes."""

    outputs = ("bbox", "cls", "landmark")
    usual_score = 0.5

    def candidates(self, heads: Heads, canvas: Canvas) -> Rows:
        """See Strided. Anchors are made for the rows that count only: nothing to keep by canvas."""
        count = sum(len(sides) * math.prod(grid(canvas, stride)) for stride, sides in HEADS)
        sizes = {"cls": 2, "bbox": 4, "landmark": 10}
        scores, box, points = (heads.read(name, count, n) for name, n in sizes.items())
        hits = np.flatnonzero(scores[:, 1] >= self._score)
        if not hits.size:
            return NOTHING
        box, points = box[hits].astype(float), points[hits].astype(float)
        middle, side = _anchors(hits, canvas)
        centre, half = middle + box[:, :2] * CENTRE * side, side * np.exp(box[:, 2:] * SIZE) / 2
        landmarks = np.tile(middle, 5) + points * CENTRE * side
        return np.hstack([scores[hits, 1:], centre - half, centre + half, landmarks])


def _anchors(hits: NDArray[np.intp], canvas: Canvas) -> tuple[Rows, Rows]:
    """Middle (n, 2) and side (n, 1) in px of the anchors that these rows belong to."""
    middles, sides, first = [], [], 0
    for stride, choice in HEADS:
        rows, columns = grid(canvas, stride)
        after = first + rows * columns * len(choice)
        own = hits[(hits >= first) & (hits < after)] - first
        middles.append((cells(own // len(choice), columns) + 0.5) * stride)
        sides.append(np.array(choice, np.float64)[own % len(choice)])
        first = after
    return np.concatenate(middles), np.concatenate(sides)[:, None]
