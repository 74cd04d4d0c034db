"""dlib's MMOD face detector: one sliding window of 80 px over an image pyramid laid out as tiles."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Canvas, Level
from faceedge.errors import EngineError
from faceedge.families.base import Detections
from faceedge.families.nms import MAX_CANDIDATES
from faceedge.manifest import Manifest
from faceedge.types import Floats

WINDOW_PX = 80
STRIDE_PX, OFFSET_PX, LOST_PX = 8, 14, 21
"""Cell c of the score map is centred on canvas px 8 c + 14: three unpadded 5x5 convolutions of stride 2, which leave
(side - 21) // 8 cells."""
PADDING_PX, OUTER_PADDING_PX = 10, 11
RATE, UP = 5 / 6, 6 / 5
SHIFT = 0.3
"""Where a point of one level lies in the level above: UP p + SHIFT, dlib's constant."""
MIN_LEVEL_PX = 5
MIN_CANVAS_PX = 29
"""Less is not one cell of the score map, which the network refuses."""
MAX_FRAME_PIXELS = 4_000_000
"""Larger frames are shrunk to this first, where dlib would go on: a network on 50 megapixels takes gigabytes."""


class Mmod:
    """score > threshold are faces; two boxes are one face when their shared area exceeds `nms_iou` of their hull.

    dlib's raw score (0 at the threshold, about 1 for a plain face, unbounded) is given as tanh(score).
    """

    outputs = ("score",)
    """What the family calls the output that it reads."""

    def __init__(self, manifest: Manifest) -> None:
        self._output = manifest.output("score")
        self._threshold = manifest.score_threshold
        self._nms = manifest.nms_iou

    def canvas(self, height: int, width: int, scale: float = 1.0) -> Canvas:
        """All levels of the pyramid on one canvas, the frame itself first."""
        shrink = min(1.0, (MAX_FRAME_PIXELS / (height * width)) ** 0.5) * scale
        return tiled_pyramid(max(1, round(height * shrink)), max(1, round(width * shrink)))

    def decode(
        self, outputs: Mapping[str, NDArray[Any]], index: int, canvas: Canvas, height: int, width: int
    ) -> Detections:
        """See DetectorFamily. Boxes lie on whole px of the first level; x1 and y1 are the first px outside.

        Raises EngineError when the score map is missing or of another size than the canvas makes it.
        """
        scores = self._scores(outputs, index, canvas)
        rows, columns = np.nonzero((scores > self._threshold) & (scores < np.inf))
        found = scores[rows, columns]
        order = np.argsort(-found, kind="stable")[:MAX_CANDIDATES]
        boxes = _boxes(rows[order], columns[order], canvas)
        keep = _distinct(boxes, self._nms)
        frame = canvas.levels[0]
        edges = (boxes[keep] + (0, 0, 1, 1)) * np.tile([width / frame.width, height / frame.height], 2)
        return Detections(edges.astype(np.float32), np.tanh(found[order][keep], dtype=np.float32), None)

    def _scores(self, outputs: Mapping[str, NDArray[Any]], index: int, canvas: Canvas) -> NDArray[Any]:
        array = outputs.get(self._output)
        wanted = (1, (canvas.height - LOST_PX) // STRIDE_PX, (canvas.width - LOST_PX) // STRIDE_PX)
        if array is None or array.shape[1:] != wanted or index >= len(array):
            seen = "missing" if array is None else f"of shape {array.shape}"
            raise EngineError(
                f"output {self._output!r} is {seen}, but score must be (n, {', '.join(map(str, wanted))}); "
                "give the package the family and outputs of its graph"
            )
        return np.asarray(array[index, 0])


@lru_cache(maxsize=32)
def tiled_pyramid(height: int, width: int) -> Canvas:
    """dlib's layout: levels below each other until one fits beside, then upwards again at the right edge."""
    sizes = _sizes(height, width)
    column = _first_column(sizes)
    levels: list[Level] = []
    y = OUTER_PADDING_PX
    while y < column + OUTER_PADDING_PX and len(levels) < len(sizes):
        w, h = sizes[len(levels)]
        levels.append(Level(OUTER_PADDING_PX, y, w, h))
        y += h + PADDING_PX
    bottom = y - PADDING_PX
    for w, h in sizes[len(levels) :]:
        level = Level(OUTER_PADDING_PX + width - w, bottom - h, w, h)
        if level.y < OUTER_PADDING_PX + height:  # would run into the frame itself
            break
        levels.append(level)
        bottom -= h + PADDING_PX
    across, down = (max(side + 2 * OUTER_PADDING_PX, MIN_CANVAS_PX) for side in (width, column))
    return Canvas(across, down, tuple(levels), corner_aligned=True)


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    sizes = [(width, height)]
    while True:
        width, height = int(RATE * width), int(RATE * height)
        if width == 0 or height < MIN_LEVEL_PX:
            return sizes
        sizes.append((width, height))


def _first_column(sizes: list[tuple[int, int]]) -> int:
    """Height of the levels that stand below each other, the gaps included."""
    width, height = sizes[0]
    total = sum(h + PADDING_PX for _, h in sizes) - 2 * PADDING_PX
    column = before = 0
    for w, h in sizes:
        if w <= width - before - PADDING_PX and (column - height) * 2 >= total - height:
            break
        column += h + PADDING_PX
        before = w
    return column - PADDING_PX


def _boxes(rows: NDArray[np.intp], columns: NDArray[np.intp], canvas: Canvas) -> NDArray[np.int64]:
    """Window of each cell in frame px, int64 (n, 4): first and last px inside, dlib's rectangle."""
    centres = np.stack([columns, rows], axis=1) * STRIDE_PX + OFFSET_PX
    level = _nearest(centres, canvas.levels)
    corners = np.array([(one.x, one.y) for one in canvas.levels])[level]
    half = (WINDOW_PX - 1) / 2
    boxes = np.hstack([centres - half - corners, centres + half - corners])
    for step in range(int(level.max(initial=0))):
        boxes = np.where((level > step)[:, None], boxes * UP + SHIFT, boxes)
    return np.asarray(np.sign(boxes) * np.floor(np.abs(boxes) + 0.5), np.int64)


def _nearest(points: NDArray[np.intp], levels: tuple[Level, ...]) -> NDArray[np.intp]:
    """The level that holds each point (n, 2), or else the nearest; the first of equals."""
    low = np.array([(one.x, one.y) for one in levels])
    high = low + np.array([(one.width - 1, one.height - 1) for one in levels])
    away = points[:, None] - np.clip(points[:, None], low, high)
    return np.asarray(np.argmin((away * away).sum(axis=2), axis=1))


def _distinct(boxes: NDArray[np.int64], share: float) -> NDArray[np.intp]:
    """Indices of the boxes (best first) that stay: greedy, by shared area over the area of the common hull."""
    kept: list[int] = []
    alive = np.arange(len(boxes))
    while alive.size:
        best, alive = alive[0], alive[1:]
        kept.append(int(best))
        alive = alive[_hull_share(boxes[best], boxes[alive]) <= share]
    return np.array(kept, np.intp)


def _hull_share(box: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
    inner = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]) + 1
    hull = np.maximum(box[2:], others[:, 2:]) - np.minimum(box[:2], others[:, :2]) + 1
    shared = np.where((inner > 0).all(axis=1), inner.prod(axis=1), 0)
    return np.asarray(shared / hull.prod(axis=1))
