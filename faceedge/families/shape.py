"""dlib's shape predictor (Kazemi, Sullivan: One Millisecond Face Alignment, CVPR 2014) over all trees and faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats, Image

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class ShapePredictor:
    """A start shape in the unit square of the box, corrected by every cascade's trees in turn.

    initial: (points, 2). anchors: (cascades, pixels), the point each pixel is measured from; deltas: (cascades,
    pixels, 2), where from there. splits: (cascades, trees, nodes, 2), the two pixels compared; thresholds:
    (cascades, trees, nodes); leaves: (cascades, trees, nodes + 1, 2 * points).
    """

    initial: Floats
    anchors: Integers
    deltas: Floats
    splits: Integers
    thresholds: Floats
    leaves: Floats

    def locate(self, image: Image, boxes: Floats) -> Floats:
        """float32 (n, points, 2) whole px for boxes (n, 4) of a uint8 BGR image, as dlib finds them.

        x1 and y1 of a box are the first px outside.
        """
        rectangles = _whole(np.asarray(boxes, np.float64).reshape(-1, 4)) - (0, 0, 1, 1)
        shapes = np.repeat(self.initial[None], len(rectangles), axis=0)
        if len(rectangles):
            for cascade in range(len(self.anchors)):
                values = self._pixels(cascade, image, rectangles, shapes)
                shapes = self._corrected(cascade, values, shapes)
        return np.asarray(_whole(_to_image(shapes, rectangles[:, None])), np.float32)

    def _pixels(self, cascade: int, image: Image, boxes: NDArray[Any], shapes: Floats) -> NDArray[np.int32]:
        """Intensity (n, pixels) where the shapes put the cascade's pixels; 0 outside the image."""
        turned = np.einsum("nij,pj->npi", self._turns(shapes), self.deltas[cascade])
        places = _whole(_to_image(turned + shapes[:, self.anchors[cascade]], boxes[:, None])).astype(np.int64)
        x, y = places[..., 0], places[..., 1]
        height, width = image.shape[:2]
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        pixels = image[np.where(inside, y, 0), np.where(inside, x, 0)]
        return np.where(inside, pixels.sum(axis=-1, dtype=np.int32) // 3, 0).astype(np.int32)

    def _turns(self, shapes: Floats) -> Floats:
        """Rotation and scale (n, 2, 2) that best take the start shape to each shape."""
        start = self.initial - self.initial.mean(axis=0, dtype=np.float64)
        moved = shapes - shapes.mean(axis=1, keepdims=True, dtype=np.float64)
        along = (moved * start).sum(axis=(1, 2))
        across = (moved[..., 1] * start[:, 0] - moved[..., 0] * start[:, 1]).sum(axis=1)
        cos, sin = along / (start * start).sum(), across / (start * start).sum()
        turns = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
        return turns.astype(np.float32)

    def _corrected(self, cascade: int, values: NDArray[np.int32], shapes: Floats) -> Floats:
        """The shapes plus the leaves that the pixel values lead to, added tree by tree.

        The order counts: a shape that differs in its last bit reads another pixel further on, and ends a pixel away.
        """
        splits, thresholds, leaves = self.splits[cascade], self.thresholds[cascade], self.leaves[cascade]
        tree = np.arange(len(splits))
        nodes = thresholds.shape[1]
        node = np.zeros((len(values), len(splits)), np.intp)
        face = np.arange(len(values))[:, None]
        for _ in range((nodes + 1).bit_length() - 1):
            pair = splits[tree, node]
            difference = values[face, pair[..., 0]] - values[face, pair[..., 1]]
            node = 2 * node + 1 + (difference <= thresholds[tree, node])
        steps = np.concatenate([shapes.reshape(len(shapes), 1, -1), leaves[tree, node - nodes]], axis=1)
        return np.asarray(np.cumsum(steps, axis=1, dtype=np.float32)[:, -1].reshape(shapes.shape))


def _to_image(points: NDArray[Any], boxes: NDArray[Any]) -> NDArray[np.float64]:
    """(0, 0) is a box's first pixel, (1, 1) its last."""
    return np.asarray(points * (boxes[..., 2:] - boxes[..., :2]) + boxes[..., :2])


def _whole(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.floor(numbers + 0.5))
