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

STILL = 0.055
"""Less is the same picture again, with the noise of a sensor and a codec."""
JUMP = 0.40
"""No head changes by more between two shots that follow each other; a cut from one photo to another does."""
ABRUPT = 0.07
"""A single change as large, while the face stands still before and after it, is the next photo."""
CALM = 0.03
"""Two changes in a row below this are a picture that stands there: nothing but noise."""
SUDDEN, AWAY = 0.09, 0.13
"""So much at once, or in two shots, from a picture that stood there: the next photo begins to cover it."""
FROZEN, DEPARTED = 5, 0.05
"""After so many calm changes in a row a single one as large is the next photo: nobody holds so still for half a second
and then moves at once."""
MIXED, LEFT = 0.6, 0.04
"""Share of a change, and change; less is left of a cross-fade when the pictures before and after it are taken away."""
FADED, BLENDED = 0.22, 0.055
"""Pictures that differ by more than the first are other photos when all between them leave less than the second."""

BLUR_PX = 2.5
"""Sigma on a crop of 112 px: with less a photo in a hand that is rich in detail shows as much as a face that moves."""
SIDE, EDGE = 40, 4
"""Crops are compared on so many px, without this edge, where the background begins."""
ROUNDS = 3
LEAST_CONTRAST = 8.0
"""Grey levels; flatter crops show nothing to compare."""
_DOWN, _ACROSS = np.mgrid[0 : SIDE - 2 * EDGE, 0 : SIDE - 2 * EDGE].astype(np.float32)
_MIDDLE = (SIDE - 2 * EDGE) / 2
_Y, _X = (_DOWN - _MIDDLE) / SIDE, (_ACROSS - _MIDDLE) / SIDE
_INNER = (slice(2, -2), slice(2, -2))
_INNER_X, _INNER_Y = _X[_INNER].ravel(), _Y[_INNER].ravel()
_Fit = NDArray[np.float64]


def look(crop: Image) -> Floats:
    """A crop (uint8 BGR, any size) as it is compared: float32 grey (32, 32), without the noise of single px."""
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), (112, 112), interpolation=cv2.INTER_AREA)
    small = cv2.resize(cv2.GaussianBlur(grey, (0, 0), BLUR_PX), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small[EDGE:-EDGE, EDGE:-EDGE], np.float32)


def change(before: Floats, after: Floats) -> float:
    """0: one is an affine image of the other, as lit otherwise; 1: they have nothing in common. Both from `look`."""
    return _left((before,), after)


def mixed(before: Floats, between: Floats, after: Floats) -> float:
    """The same of the one between, when it may be any mixture of the two around it."""
    return _left((before, after), between)


def _left(sources: tuple[Floats, ...], target: Floats) -> float:
    """Share of the target's contrast that no affine images of the sources explain; Gauss-Newton, a few rounds."""
    goal = target[_INNER].ravel()
    contrast = max(float(goal.std()), LEAST_CONTRAST)
    moves = np.zeros((len(sources), 6))
    rows = np.ones((7 * len(sources) + 1, len(goal)), np.float32)
    best = np.inf
    for _ in range(ROUNDS):
        for number, (source, move) in enumerate(zip(sources, moves, strict=True)):
            _fill(rows[7 * number : 7 * number + 7], source, move)
        squares = (rows @ rows.T).astype(np.float64) + 1e-3 * np.eye(len(rows))
        found = np.linalg.solve(squares, (rows @ goal).astype(np.float64))
        left = goal - found.astype(np.float32) @ rows
        best = min(best, float(np.sqrt(left @ left / len(goal))) / contrast)
        for number in range(len(moves)):
            gain, *steps = found[7 * number : 7 * number + 7]
            moves[number] += np.array(steps) / (gain if abs(gain) > 0.1 else 1.0)
    return best


def _fill(rows: Floats, source: Floats, move: _Fit) -> None:
    """The source as moved, and how it changes with each of the six numbers of an affine map; rows: (7, n)."""
    moved = _moved(source, move) if move.any() else source
    dx, dy = (
        cv2.Sobel(moved, cv2.CV_32F, right, 1 - right, scale=SIDE / 8)[_INNER].ravel() for right in (1, 0)
    )  # fmt: skip
    rows[0] = moved[_INNER].ravel()
    for first, slope in ((1, dx), (4, dy)):
        rows[first], rows[first + 1], rows[first + 2] = slope * _INNER_X, slope * _INNER_Y, slope


def _moved(source: Floats, move: _Fit) -> Floats:
    a, b, x0, c, d, y0 = (np.float32(value) for value in move)
    across = _MIDDLE + SIDE * (_X * (1 + a) + _Y * b + x0)
    down = _MIDDLE + SIDE * (_X * c + _Y * (1 + d) + y0)
    moved = cv2.remap(source, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)
