"""What YuNet, RetinaFace and SCRFD share: heads at strides of 8, 16 and 32 px over a letterbox, read only where they
score, and turned into faces of the frame. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Canvas
from faceedge.errors import EngineError
from faceedge.families.base import Detections
from faceedge.families.letterbox import Letterbox
from faceedge.families.nms import keep_best
from faceedge.manifest import Manifest

STRIDES = (8, 16, 32)
Rows = NDArray[np.float64]
NOTHING: Rows = np.zeros((0, 15))
FARTHEST_PX = 1e5
"""A canvas has at most 8192 px a side: a corner or landmark farther out, or one that is no number, is of no face."""


class Strided(ABC):
    """A family whose outputs hold a fixed number of rows a cell of the grid, cells row by row."""

    outputs: tuple[str, ...]
    """What the family calls the outputs that it reads."""
    usual_score: float
    """Threshold where the manifest names none."""

    def __init__(self, manifest: Manifest) -> None:
        self._letterbox = Letterbox.of(manifest.input)
        self._score = manifest.score_threshold or self.usual_score
        self._iou = manifest.nms_iou
        self._names = {name: manifest.output(name) for name in self.outputs}

    def canvas(self, height: int, width: int, scale: float = 1.0) -> Canvas:
        """See DetectorFamily."""
        return self._letterbox.canvas(height, width, scale)

    def decode(
        self, outputs: Mapping[str, NDArray[Any]], index: int, canvas: Canvas, height: int, width: int
    ) -> Detections:
        """See DetectorFamily. Raises EngineError when an output is missing or has another shape than the family's."""
        with np.errstate(over="ignore", invalid="ignore"):  # what is no number is sorted out afterwards
            rows = self._sound(self.candidates(Heads(outputs, self._names, index), canvas))
        rows = rows[keep_best(rows[:, 1:5], rows[:, 0], self._iou)]
        level = canvas.levels[0]
        scale = np.tile([width / level.width, height / level.height], 7)
        placed = (rows[:, 1:] * scale).astype(np.float32)
        scores = np.minimum(rows[:, 0], 1).astype(np.float32)
        return Detections(placed[:, :4], scores, placed[:, 4:].reshape(-1, 5, 2))

    @abstractmethod
    def candidates(self, heads: Heads, canvas: Canvas) -> Rows:
        """Rows that may reach the threshold, (n, 15): score, x0 y0 x1 y1 and five landmarks in canvas px.

        In doubles: a landmark that strays by its last bit moves the crop, which moves the similarity by 1e-4.
        """

    def _sound(self, rows: Rows) -> Rows:
        """Those that score and can be faces."""
        if not len(rows):
            return rows
        possible = (np.abs(rows) < FARTHEST_PX).all(axis=1) & (rows[:, 0] >= self._score)
        return rows[possible & (rows[:, 3:5] > rows[:, 1:3]).all(axis=1)]


class Heads:
    """The outputs of one image of the batch, by the family's names for them."""

    def __init__(self, outputs: Mapping[str, NDArray[Any]], names: Mapping[str, str], index: int) -> None:
        self._outputs = outputs
        self._names = names
        self._index = index

    def read(self, name: str, rows: int, columns: int) -> NDArray[Any]:
        """The output (rows, columns) of the image; a graph for single images may leave out the batch."""
        array = self._outputs.get(self._names[name])
        if array is not None and array.ndim == 2:
            array = array[None]
        if array is None or array.ndim != 3 or array.shape[1:] != (rows, columns) or self._index >= len(array):
            seen = "missing" if array is None else f"of shape {array.shape}"
            raise EngineError(
                f"output {self._names[name]!r} is {seen}, but {name} must be (n, {rows}, {columns}); "
                "give the package the family and outputs of its graph"
            )
        return np.asarray(array[self._index])


def grid(canvas: Canvas, stride: int) -> tuple[int, int]:
    """Rows and columns of cells that cover the canvas."""
    return -(-canvas.height // stride), -(-canvas.width // stride)


def cells(hits: NDArray[np.intp], columns: int) -> NDArray[np.float64]:
    """Column and row, (n, 2), of cells that are numbered row by row."""
    return np.column_stack([hits % columns, hits // columns]).astype(np.float64)
