"""What a checked graph is, and the shapes that it shows when it runs. Runs in the child of `apart.py`."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from faceedge.backends.base import TensorSpec
from faceedge.errors import PackageError, one_line
from faceedge.models import foreign, selftest
from faceedge.models.graph import Facts
from faceedge.models.optimise import as_bytes
from faceedge.models.running import Network, Outputs
from faceedge.models.tensors import held_bits

SIDES_PX = (320, 640)
"""Sizes tried on a network that takes any; sides of 320 are multiples of every usual stride."""
FURTHER_PX = 64
MAX_NOTES, MAX_KEY, MAX_NOTE = 32, 64, 500


def facts_of(model: Any, content: bytes) -> Facts:
    """The facts of `content`, which `foreign.parse` has made `model` of. Raises PackageError, MemoryError."""
    network = Network(as_bytes(model))
    value = model.graph.input[0]
    return Facts(
        opset=foreign.opset_of(model),
        inputs=(TensorSpec(value.name, "float32", network.shape),),
        outputs=_outputs(network),
        operators=foreign.operators(model),
        weights_bytes=sum(held_bits(tensor) // 8 for tensor in foreign.tensors(model.graph)),
        metadata=_notes(model),
        quantised=foreign.is_quantised(model),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def picture_size(model: Any, width: int, height: int) -> tuple[int, int]:
    """Width and height in px: what the graph demands, else what was asked for."""
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    return sizes[3].dim_value or width, sizes[2].dim_value or height


def _outputs(network: Network) -> tuple[TensorSpec, ...]:
    """-1 where a size follows the number of pictures or their size."""
    count, (height, width) = max(1, network.batch), network.shape[2:]
    first, side = _first(network, count, height, width)
    runs = [first]
    if not network.batch:
        runs.append(_tried(network, 2, _or(height, side), _or(width, side)))
    if -1 in (height, width):
        runs.append(_tried(network, count, _or(height, side + FURTHER_PX), _or(width, side + 2 * FURTHER_PX)))
    return tuple(TensorSpec(name, values.dtype.name, _shape(name, runs)) for name, values in first.items())


def _first(network: Network, count: int, height: int, width: int) -> tuple[Outputs, int]:
    """Answers to the first size that it takes, and that size."""
    for side in SIDES_PX:
        try:
            outputs = _run(network, count, _or(height, side), _or(width, side))
        except PackageError:
            if -1 not in (height, width) or side == SIDES_PX[-1]:
                raise
            continue
        selftest.answers(outputs)  # refuses numbers that are none
        return outputs, side
    raise AssertionError("the last size returns or raises")


def _tried(network: Network, count: int, height: int, width: int) -> Outputs:
    """Nothing when it does not take that: a size that cannot change is as good as fixed."""
    try:
        return _run(network, count, height, width)
    except PackageError:
        return {}


def _run(network: Network, count: int, height: int, width: int) -> Outputs:
    return network.run(np.repeat(selftest.tensor(selftest.picture(width, height)), count, axis=0))


def _or(size: int, other: int) -> int:
    return other if size == -1 else size


def _shape(name: str, runs: list[Outputs]) -> tuple[int, ...]:
    shape = runs[0][name].shape
    for outputs in runs[1:]:
        other = outputs[name].shape if name in outputs else shape
        if len(other) == len(shape):
            shape = tuple(one if one == two else -1 for one, two in zip(shape, other, strict=True))
    return shape


def _notes(model: Any) -> dict[str, str]:
    entries = list(model.metadata_props)[:MAX_NOTES]
    return {one_line(entry.key, MAX_KEY): one_line(entry.value, MAX_NOTE) for entry in entries if entry.key}
