"""How much a face has changed from one crop to another, other than a flat picture of it can. Pure.

A photo that is moved, turned, tilted or lit differently stays nearly an affine image of itself; a living face does not:
it speaks, blinks, and turns in depth. What is left after the best affine fit, with gain and offset, is the change. It
is no proof of life: a film changes as a face does.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats, Image

STILL = 0.07
"""Less is the same picture again, with the noise of a sensor and a codec."""
JUMP = 0.40
"""No head changes by more between two shots that follow each other; a cut from one photo to another does."""
ABRUPT = 0.10
"""A single change as large, while the face stands still before and after it, is the next photo."""
MIXED = 0.5
"""Share of a change; less than this is left of a cross-fade when the pictures before and after it are taken away."""

FADED = 0.25
"""Small movement is such a mixture, too; two pictures that differ by more than this are other photos then."""

SIDE, EDGE = 40, 4
"""Crops are compared on so many px, without this edge, where the background begins."""
ROUNDS = 3
LEAST_CONTRAST = 8.0
"""Grey levels; flatter crops show nothing to compare."""
_DOWN, _ACROSS = np.mgrid[0 : SIDE - 2 * EDGE, 0 : SIDE - 2 * EDGE].astype(np.float32)
_MIDDLE = (SIDE - 2 * EDGE) / 2
_Y, _X = (_DOWN - _MIDDLE) / SIDE, (_ACROSS - _MIDDLE) / SIDE
_INNER = (slice(2, -2), slice(2, -2))
_Fit = NDArray[np.float64]


def look(crop: Image) -> Floats:
    """A crop (uint8 BGR, any size) as it is compared: float32 grey (32, 32), without the noise of single px."""
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (112, 112), interpolation=cv2.INTER_AREA)
    small = cv2.resize(cv2.GaussianBlur(grey, (0, 0), 1.5), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small[EDGE:-EDGE, EDGE:-EDGE], np.float32)


def change(before: Floats, after: Floats) -> float:
    """0: one is an affine image of the other, as lit otherwise; 1: they have nothing in common. Both from `look`."""
    return _left((before,), after)


def mixed(before: Floats, between: Floats, after: Floats) -> float:
    """The same of the one between, when it may be any mixture of the two around it."""
    return _left((before, after), between)


def _left(sources: tuple[Floats, ...], target: Floats) -> float:
    """Share of the target's contrast that no affine images of the sources explain; Gauss-Newton, a few rounds."""
    goal = target[_INNER].ravel().astype(np.float64)
    contrast = max(float(goal.std()), LEAST_CONTRAST)
    moves = [np.zeros(6) for _ in sources]
    best = np.inf
    for _ in range(ROUNDS):
        columns = np.concatenate([_columns(source, move) for source, move in zip(sources, moves, strict=True)], axis=1)
        columns = np.concatenate([columns, np.ones((len(goal), 1))], axis=1)
        squares = columns.T @ columns + 1e-3 * np.eye(columns.shape[1])
        found = np.linalg.solve(squares, columns.T @ goal)
        best = min(best, float(np.sqrt(np.mean((goal - columns @ found) ** 2))) / contrast)
        for number in range(len(moves)):
            gain, *steps = found[7 * number : 7 * number + 7]
            moves[number] += np.array(steps) / (gain if abs(gain) > 0.1 else 1.0)
    return best


def _columns(source: Floats, move: _Fit) -> _Fit:
    """The moved source, and how it changes with each of the six numbers of an affine map; (n, 7)."""
    a, b, x0, c, d, y0 = (np.float32(value) for value in move)
    across = _MIDDLE + SIDE * (_X * (1 + a) + _Y * b + x0)
    down = _MIDDLE + SIDE * (_X * c + _Y * (1 + d) + y0)
    moved = cv2.remap(source, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    dx = cv2.Sobel(moved, cv2.CV_32F, 1, 0, scale=SIDE / 8)
    dy = cv2.Sobel(moved, cv2.CV_32F, 0, 1, scale=SIDE / 8)
    images = (moved, dx * _X, dx * _Y, dx, dy * _X, dy * _Y, dy)
    return np.stack([image[_INNER].ravel() for image in images], axis=1).astype(np.float64)
