"""YuNet: anchor-free heads at strides 8, 16 and 32 (Wu, Peng, Yu: YuNet, Machine Intelligence Research 2023)."""

from __future__ import annotations

import numpy as np

from faceedge.backends.base import Canvas
from faceedge.families.strided import STRIDES, Heads, Rows, Strided, cells, grid


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
        cls, obj = (heads.read(f"{kind}_{stride}", rows * columns, 1)[:, 0] for kind in ("cls", "obj"))
        scores = np.sqrt(np.clip(cls, 0, 1) * np.clip(obj, 0, 1))
        hits = np.flatnonzero(scores >= self._score)
        box = heads.pick(f"bbox_{stride}", rows * columns, 4, hits)
        points = heads.pick(f"kps_{stride}", rows * columns, 10, hits)
        cell = cells(hits, columns)
        centre, half = cell + box[:, :2], np.exp(box[:, 2:]) / 2
        placed = np.hstack([centre - half, centre + half, points + np.tile(cell, 5)]) * stride
        return np.column_stack([scores[hits], placed])
