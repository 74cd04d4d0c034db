"""Runs a graph over batches and hands out tensors from its inside, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from faceedge.errors import EngineError
from faceedge.types import Floats

Tensors = dict[str, NDArray[Any]]
ROWS_BYTES = 256 << 20
"""What the observed tensors of one run may take together."""


class Observer:
    """A session that gives the named tensors of a model beside nothing else. Close by dropping it."""

    def __init__(self, model: onnx.ModelProto, tensors: Sequence[str], *, threads: int = 1) -> None:
        self.tensors = list(dict.fromkeys(tensors))
        self._input, inside = _split(model, self.tensors)
        self._inside = [name for name in self.tensors if name != self._input]
        self._session = open_session(_with_outputs(model, inside), threads)

    def run(self, batch: Floats) -> Iterator[Tensors]:
        """The tensors for a few rows of the batch at a time. Raises EngineError when the network fails.

        The first row is alone and shows how many fit: a batch is cut the same way whatever came before it.
        """
        start, fit = 0, 1
        while start < len(batch):
            rows = batch[start : start + fit]
            start += len(rows)
            found = self._tensors(rows)
            fit = max(1, int(ROWS_BYTES * len(rows) / max(1, sum(one.nbytes for one in found.values()))))
            yield found

    def _tensors(self, rows: Floats) -> Tensors:
        try:
            values = self._session.run(self._inside, {self._input: rows}) if self._inside else []
        except Exception as error:  # ONNX Runtime raises its own untyped exceptions
            raise EngineError(
                f"the network failed on a calibration batch: {str(error).splitlines()[0][:200]}"
            ) from error
        found = dict(zip(self._inside, values, strict=True))
        return {name: rows if name == self._input else found[name] for name in self.tensors}


def observed(model: onnx.ModelProto, tensors: Sequence[str], batches: Iterable[Floats]) -> Iterator[Tensors]:
    """The named tensors over all batches."""
    observer = Observer(model, tensors)
    for batch in batches:
        yield from observer.run(batch)


def open_session(model: onnx.ModelProto, threads: int = 1) -> Any:
    """A session on the CPU that neither spins nor talks."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _split(model: onnx.ModelProto, tensors: Sequence[str]) -> tuple[str, list[str]]:
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise EngineError(f"a network with one input can be quantised, this one has {len(inputs)}")
    return inputs[0], [name for name in tensors if name != inputs[0]]


def _with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    model = _copy(model)
    present = {value.name for value in model.graph.output}
    for name in tensors:
        if name not in present:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def spread_rows(batches: Iterable[Floats], total: int, wanted: int) -> Iterator[Floats]:
    """`wanted` rows, evenly from `total`: what comes first is no better than what comes last."""
    start = 0
    for batch in batches:
        numbers = np.arange(start, start + len(batch)) * min(wanted, total) // max(total, 1)
        before = (np.arange(start, start + len(batch)) - 1) * min(wanted, total) // max(total, 1)
        start += len(batch)
        if (chosen := numbers > before).any():
            yield np.asarray(batch[chosen])
