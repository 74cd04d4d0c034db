"""How like the outputs of two graphs are over all batches: the cosine between them, image by image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from faceedge.quantize.collect import Batches
from faceedge.quantize.observe import Observer
from faceedge.types import Floats


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of one output: mean, first percentile and least of the cosines of `images` images."""

    mean: float
    p1: float
    least: float
    images: int


def likeness(one: onnx.ModelProto, other: onnx.ModelProto, batches: Batches) -> dict[str, Likeness]:
    """By output. Raises EngineError when a network fails."""
    names = [value.name for value in one.graph.output]
    first, second = Observer(one, names), Observer(other, names)
    found: dict[str, list[Floats]] = {name: [] for name in names}
    for batch in batches():
        for ours, theirs in zip(first.run(batch), second.run(batch), strict=True):
            for name in names:
                found[name].append(_cosines(ours[name], theirs[name]))
    return {name: _summed(np.concatenate(values)) for name, values in found.items()}


def cosine(float_graph: Path, int8_graph: Path, batches: Batches) -> dict[str, Likeness]:
    """The same for graphs on disk."""
    return likeness(onnx.load(float_graph), onnx.load(int8_graph), batches)


def _cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> Floats:
    """Of each row, flat; two rows of zeros are alike."""
    a, b = (array.reshape(len(array), -1).astype(np.float64) for array in (one, other))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    same = (np.abs(a - b).max(axis=1) == 0).astype(np.float64)
    return np.asarray(np.where(lengths > 0, (a * b).sum(axis=1) / np.maximum(lengths, 1e-30), same), np.float32)


def _summed(cosines: Floats) -> Likeness:
    return Likeness(float(cosines.mean()), float(np.percentile(cosines, 1)), float(cosines.min()), len(cosines))
