"""Reads dlib's five-point shape predictor: cascades of regression trees, all of one depth."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import PackageError
from faceedge.families.shape import ShapePredictor
from faceedge.models.importers.dlib_format import REMEDY, Stream
from faceedge.types import Floats

Numbers = NDArray[np.int64]


def read_shape_predictor(path: Path) -> ShapePredictor:
    """The predictor in a .dat file. Raises PackageError on anything else."""
    cursor = _Cursor(path, Stream(path).integers())
    cursor.need(cursor.one() == 1)
    initial = cursor.column()
    forests = [cursor.forest(initial.size) for _ in range(cursor.length())]
    anchors = [cursor.take(cursor.length()) for _ in range(cursor.length())]
    deltas = [cursor.floats(2 * cursor.length()).reshape(-1, 2) for _ in range(cursor.length())]
    cursor.need(not cursor.left and len(forests) == len(anchors) == len(deltas) > 0)
    cursor.need(len({pair.shape for pair in deltas}) == 1 and len({forest[0].shape for forest in forests}) == 1)
    splits, thresholds, leaves = (np.stack(parts) for parts in zip(*forests, strict=True))
    anchor = np.stack(anchors)
    pixels = len(deltas[0])
    cursor.need(anchor.shape == (len(deltas), pixels) and anchor.min() >= 0 and anchor.max() < initial.size // 2)
    cursor.need(bool(splits.min() >= 0 and splits.max() < pixels))
    return ShapePredictor(initial.reshape(-1, 2), anchor, np.stack(deltas), splits, thresholds, leaves)


class _Cursor:
    """Walks over the integers of the file; a float is two of them."""

    def __init__(self, path: Path, numbers: Numbers) -> None:
        self._path = path
        self._numbers = numbers
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._numbers) - self._at

    def need(self, holds: bool) -> None:
        if not holds:
            self._refuse()

    def one(self) -> int:
        return int(self.take(1)[0])

    def length(self) -> int:
        value = self.one()
        self.need(0 <= value <= self.left)
        return value

    def take(self, count: int) -> Numbers:
        self.need(0 <= count <= self.left)
        self._at += count
        return self._numbers[self._at - count : self._at]

    def floats(self, count: int) -> Floats:
        return self.as_floats(self.take(2 * count).reshape(count, 2))

    def as_floats(self, pairs: Numbers) -> Floats:
        """Mantissas and exponents (..., 2); infinities and NaN are refused."""
        self.need(bool((np.abs(pairs[..., 1]) < 2000).all()))
        return np.ldexp(pairs[..., 0].astype(np.float64), pairs[..., 1]).astype(np.float32)

    def column(self) -> Floats:
        """A matrix of one column; dlib writes its sizes negated."""
        rows, columns = -self.one(), -self.one()
        self.need(columns == 1 and 0 < rows <= self.left and rows % 2 == 0)
        return self.floats(rows)

    def forest(self, values: int) -> tuple[Numbers, Floats, Floats]:
        """One cascade: splits (trees, nodes, 2), thresholds (trees, nodes), leaves (trees, nodes + 1, values)."""
        trees = self.length()
        nodes = int(self._numbers[self._at]) if self.left else 0
        self.need(trees > 0 and 0 < nodes < 1 << 16 and nodes & (nodes + 1) == 0)
        head, leaf = 1 + 4 * nodes, 2 + 2 * values
        table = self.take(trees * (head + 1 + (nodes + 1) * leaf)).reshape(trees, -1)
        splits = table[:, 1:head].reshape(trees, nodes, 4)
        leaves = table[:, head + 1 :].reshape(trees, nodes + 1, leaf)
        self.need(bool((table[:, 0] == nodes).all() and (table[:, head] == nodes + 1).all()))
        self.need(bool((leaves[..., :2] == (-values, -1)).all()))
        weights = self.as_floats(leaves[..., 2:].reshape(trees, nodes + 1, values, 2))
        return splits[..., :2], self.as_floats(splits[..., 2:]), weights

    def _refuse(self) -> NoReturn:
        raise PackageError(f"{self._path}: not a dlib shape predictor; {REMEDY}")
