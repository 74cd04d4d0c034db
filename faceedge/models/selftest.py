"""The self-test picture `waves-1`, a network's answers to it, and how far two answers lie apart. Pure.

Its numbers come from integers alone: the same on every machine and with every version of every library.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Tensor
from faceedge.errors import PackageError
from faceedge.manifest import Answer, SelfTest
from faceedge.types import Floats, Image

VALUES = 16
"""Numbers kept of an output, evenly spaced from its first to its last."""
SMALLEST_SCALE = 0.01
"""Outputs that hardly differ from zero are compared with this, not with their own size."""


def picture(width: int, height: int) -> Image:
    """uint8 (height, width, 3): waves of all lengths, others in each channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    slow = _wave(3 * x + y, 97), _wave(2 * y - x, 71), _wave(x + y, 113)
    fast = _wave(x * y, 509), _wave(x * x + 3 * y, 811), _wave(y * y + 5 * x, 701)
    return np.stack([(2 * one + two) // 3 for one, two in zip(slow, fast, strict=True)], axis=-1).astype(np.uint8)


def tensor(image: Image) -> Floats:
    """float32 (1, 3, height, width), -1..1, whatever the network's own normalisation is."""
    pixels = image.transpose(2, 0, 1)[None].astype(np.float32)
    return np.ascontiguousarray((pixels - np.float32(127.5)) / np.float32(127.5))


def others(image: Image) -> list[Image]:
    """The picture and two unlike it: the negative, and the picture moved and mirrored."""
    height, width = image.shape[:2]
    moved = np.roll(image, (height // 3, width // 5), (0, 1))[:, ::-1]
    return [image, 255 - image, np.ascontiguousarray(moved)]


def answers(outputs: Mapping[str, Tensor]) -> dict[str, Answer]:
    """What the manifest notes. Raises PackageError when an answer holds nothing, or a number that is none."""
    noted = {}
    for name, values in outputs.items():
        if not values.size:
            raise PackageError(
                f"answers the self-test picture with nothing in {name!r}; export it without its last steps"
            )
        if not np.isfinite(values).all():
            raise PackageError(f"answers the self-test picture with numbers that are none in {name!r}; export it again")
        noted[name] = Answer(shape=values.shape, values=tuple(float(f"{value:.7g}") for value in _sample(values)))
    return noted


def deviation(source: Tensor, other: Tensor) -> float:
    """The largest difference of two outputs, as a share of the largest number in `source`; infinite for another
    shape, nothing at all, or a number that is none."""
    if source.shape != other.shape or not source.size:
        return float("inf")
    return _apart(source, other)


def deviation_of_all(source: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The largest deviation over all outputs; infinite when one is missing."""
    return max((deviation(values, other[name]) if name in other else float("inf") for name, values in source.items()))


def deviation_from_noted(selftest: SelfTest, outputs: Mapping[str, Tensor]) -> float:
    """The largest deviation of a network's outputs from what the manifest notes.

    Raises PackageError when an output is missing or has another shape.
    """
    worst = 0.0
    for name, answer in selftest.outputs.items():
        if name not in outputs:
            raise PackageError(f"has no output {name!r}, which its self-test expects; add the package again")
        shape = outputs[name].shape
        if shape != answer.shape:
            raise PackageError(f"{name!r} is {shape}, its self-test expects {answer.shape}; add the package again")
        noted = np.array(answer.values)
        got = _sample(outputs[name])
        worst = max(worst, _apart(noted, got) if noted.size and noted.shape == got.shape else float("inf"))
    return worst


def _wave(position: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """0..255, up and down in straight lines."""
    return np.abs(position % (2 * length) - length) * 255 // length


def _sample(values: Tensor) -> NDArray[np.float64]:
    flat = np.asarray(values, np.float64).reshape(-1)
    count = min(VALUES, flat.size)
    places = np.arange(count) * (flat.size - 1) // max(1, count - 1)
    return flat[places]


def _apart(source: Tensor, other: Tensor) -> float:
    one, two = np.asarray(source, np.float64), np.asarray(other, np.float64)
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        return float("inf")
    return float(np.abs(one - two).max() / max(float(np.abs(one).max()), SMALLEST_SCALE))
