"""YuNet: anchor-free heads at strides 8, 16 and 32 (Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023)."""

from __future__ import annotations

import numpy as np

from faceedge.backends.base import Canvas
from faceedge.families.strided import NOTHING, STRIDES, Heads, Rows, Strided, cells, grid


class Yunet(Strided):
    """score = sqrt(cls * obj); centre = (cell + offset) * stride; size = exp(log size) * stride; landmark =
    (cell + offset) * stride. There is no half-cell shift."""

    outputs = tuple(f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps"))
    usual_score = 0.6

    def candidates(self, heads: Heads, canvas: Canvas) -> Rows:
        """See Strided."""
        return np.concatenate([self._stride(heads, canvas, stride) for stride in STRIDES])

    def _stride(self, heads: Heads, canvas: Canvas, stride: int) -> Rows:
        rows, columns = grid(canvas, stride)
        sizes = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
        cls, obj, box, points = (heads.read(f"{kind}_{stride}", rows * columns, n) for kind, n in sizes.items())
        hits = np.flatnonzero(cls * obj >= self._score**2)
        if not hits.size:
            return NOTHING
        scores = np.sqrt(np.clip(cls[hits], 0, 1) * np.clip(obj[hits], 0, 1))
        box, points, cell = box[hits].astype(float), points[hits].astype(float), cells(hits, columns)
        centre, half = cell + box[:, :2], np.exp(box[:, 2:]) / 2
        placed = np.hstack([centre - half, centre + half, points + np.tile(cell, 5)]) * stride
        return np.hstack([scores, placed])
