"""SCRFD: two anchors a cell at strides 8, 16 and 32 (Guo et al.: Sample and Computation Redistribution for Efficient
Face Detection, ICLR 2022).

Very big faces score low. Of 33 portraits, resized until the face was 450 px tall, scrfd_500m finds 1 and scrfd_2.5g 25
at the usual threshold; at half that size both find all, with 0.77 or more. Where faces fill the frame, give the
package a smaller input.
"""

from __future__ import annotations

import numpy as np

from faceedge.backends.base import Canvas
from faceedge.families.strided import NOTHING, STRIDES, Heads, Rows, Strided, cells, grid

ANCHORS = 2
"""Of one cell, next to each other; both measure from the same point."""
_OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])


class Scrfd(Strided):
    """point = cell * stride, no half-cell shift; sides = distances from it to the left, top, right and bottom, and
    landmarks = offsets from it, both times the stride."""

    outputs = tuple(f"{kind}_{stride}" for stride in STRIDES for kind in ("score", "bbox", "kps"))
    usual_score = 0.5

    def candidates(self, heads: Heads, canvas: Canvas) -> Rows:
        """See Strided."""
        return np.concatenate([self._stride(heads, canvas, stride) for stride in STRIDES])

    def _stride(self, heads: Heads, canvas: Canvas, stride: int) -> Rows:
        rows, columns = grid(canvas, stride)
        sizes = {"score": 1, "bbox": 4, "kps": 10}
        scores, box, points = (heads.read(f"{kind}_{stride}", rows * columns * ANCHORS, n) for kind, n in sizes.items())
        hits = np.flatnonzero(scores >= self._score)
        if not hits.size:
            return NOTHING
        box, points, cell = box[hits].astype(float), points[hits].astype(float), cells(hits // ANCHORS, columns)
        placed = np.hstack([np.tile(cell, 2) + box * _OUTWARDS, np.tile(cell, 5) + points]) * stride
        return np.hstack([scores[hits], placed])
