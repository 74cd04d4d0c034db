"""Runs a checked graph on one thread: its bytes in, arrays out. Only in the child of `apart.py`, which bounds it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnxruntime

from faceedge.backends.base import Tensor
from faceedge.errors import PackageError, one_line
from faceedge.types import Floats

_MEMORY = re.compile(r"bad_alloc|allocate memory|bad allocation|out of memory|array_new_length", re.IGNORECASE)
_LEVELS = onnxruntime.GraphOptimizationLevel
Outputs = dict[str, Tensor]


class Network:
    """One session. as_written: without any optimisation, just what the graph says; otherwise as `OnnxEngine` does.

    Raises PackageError when ONNX Runtime refuses the graph, MemoryError when it wants too much.
    """

    def __init__(self, content: bytes, *, as_written: bool = False) -> None:
        options = quiet_options()
        options.graph_optimization_level = _LEVELS.ORT_DISABLE_ALL if as_written else _LEVELS.ORT_ENABLE_ALL
        self._session = opened(content, options)
        value = self._session.get_inputs()[0]
        self._input = value.name
        self.batch = value.shape[0] if isinstance(value.shape[0], int) else 0
        """Pictures that it takes at once; 0 is any number."""
        self.shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, pictures: Floats) -> Outputs:
        """All outputs for float32 (n, 3, height, width). Raises PackageError, MemoryError."""
        try:
            values = self._session.run(self._names, {self._input: pictures})
        except Exception as error:  # ONNX Runtime raises its own untyped exceptions
            raise _told(error, "fails when it runs") from error
        if not all(isinstance(value, np.ndarray) and value.dtype.kind in "fiub" for value in values):
            raise PackageError("answers something else than arrays of numbers; export it so")
        return dict(zip(self._names, values, strict=True))

    def run_one(self, picture: Floats) -> Outputs:
        """All outputs for one picture (1, 3, height, width), also where the graph takes a fixed number of them."""
        count = max(1, self.batch)
        outputs = self.run(np.repeat(picture, count, axis=0))
        return {name: values[: len(values) // count] if values.ndim else values for name, values in outputs.items()}


def quiet_options() -> Any:
    """Session options: one thread, no text on stderr."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def opened(content: bytes, options: Any) -> Any:
    """A session on the CPU. Raises PackageError when ONNX Runtime refuses the graph, MemoryError."""
    onnxruntime.set_default_logger_severity(4)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own untyped exceptions
        raise _told(error, "is not a graph that ONNX Runtime opens") from error


def _told(error: Exception, what: str) -> Exception:
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):
        return MemoryError()
    return PackageError(f"{what} ({one_line(str(error), 160)}); export it again")
