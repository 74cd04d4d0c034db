"""What every engine asks of its inputs before it runs: names, dtypes, shapes, batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faceedge.backends.base import Input, TensorSpec
from faceedge.errors import EngineError


def are_of(specs: Sequence[TensorSpec], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether the shapes are such as the specs allow, the batch aside."""
    known = {spec.name: spec.shape for spec in specs}
    return all(
        name in known
        and len(known[name]) == len(shape)
        and all(size in (-1, side) for size, side in zip(known[name][1:], shape[1:], strict=True))
        for name, shape in shapes.items()
    )


def lie_in(
    bounds: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]], shapes: Mapping[str, tuple[int, ...]]
) -> bool:
    """Whether the shapes lie between the smallest and the largest of each input, the batch aside."""
    return all(
        low <= size <= high
        for name, (least, most) in bounds.items()
        if len(shape := shapes.get(name, least)) == len(least)
        for low, size, high in zip(least[1:], shape[1:], most[1:], strict=True)
    )


def check_inputs(
    specs: tuple[TensorSpec, ...],
    arrays: Mapping[str, Input],
    max_batch: int,
    kinds: tuple[type, ...] = (np.ndarray,),
) -> None:
    """Raises EngineError unless names, dtypes, shapes and the batch, the first dimension of all, are what the
    network takes. kinds: of inputs that the engine can read. Runs on the way of frames: it makes no arrays and, as
    long as all is well, no text."""
    if len(arrays) != len(specs):
        raise _other_names(specs, arrays)
    batch = 0
    for spec in specs:
        array = arrays.get(spec.name)
        if array is None:
            raise _other_names(specs, arrays)
        if not isinstance(array, kinds):
            raise EngineError(f"{spec.name}: wants a numpy array, got {type(array).__name__}")
        shape = array.shape
        if array.dtype != spec.dtype or not _fits(shape, spec.shape):
            raise EngineError(f"{spec.name}: wants {spec.dtype} {spec.shape}, got {array.dtype} {shape}")
        if shape and not 1 <= shape[0] <= max_batch:
            raise EngineError(f"{spec.name}: batch {shape[0]} is outside 1..{max_batch}")
        if 0 in shape:
            raise EngineError(f"{spec.name}: {shape} is empty")
        if spec.shape and spec.shape[0] == -1:
            batch = batch or shape[0]
            if shape[0] != batch:
                raise EngineError(f"{spec.name}: batch {shape[0]} beside an input of batch {batch}")


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(want in (-1, got) for want, got in zip(wanted, shape, strict=True))


def _other_names(specs: tuple[TensorSpec, ...], arrays: Mapping[str, Input]) -> EngineError:
    return EngineError(f"inputs are {sorted(spec.name for spec in specs)}, got {sorted(map(str, arrays))}")
