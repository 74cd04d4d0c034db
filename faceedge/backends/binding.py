"""What one thread keeps for an ONNX Runtime session: bindings of inputs and outputs, by input shapes.

Inputs are read where the caller has them; outputs are written into buffers that the next call uses again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from faceedge.backends.base import Tensor

if TYPE_CHECKING:
    import onnxruntime

SHAPES_KEPT = 4
"""Cameras of several sizes make canvases of several sizes. Other shapes are allocated anew, as without binding."""

Shapes = tuple[tuple[int, ...], ...]


class Bindings:
    """One thread's. held_bytes: size of its output buffers; other threads may read it. trims: the engine's count of
    `trim` that this thread has followed."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.held_bytes = 0
        self.trims = 0
        self._session = session
        self._inputs = [value.name for value in session.get_inputs()]
        self._kept: dict[Shapes, _Binding] = {}

    def run(self, arrays: Mapping[str, Tensor], options: Any = None) -> dict[str, Tensor]:
        """The outputs; a later call may overwrite them.

        options: `onnxruntime.RunOptions`. Raises ONNX Runtime's own exceptions.
        """
        inputs = {name: np.ascontiguousarray(arrays[name]) for name in self._inputs}
        shapes = tuple(array.shape for array in inputs.values())
        binding = self._kept.pop(shapes, None) or _Binding(self._session)
        outputs = binding.run(inputs, options)
        self._kept[shapes] = binding  # the newest is the last to be given up
        if len(self._kept) > SHAPES_KEPT:
            del self._kept[next(iter(self._kept))]
        self.held_bytes = sum(kept.size for kept in self._kept.values())
        return outputs

    def forget_larger(self, arrays: Mapping[str, Tensor]) -> None:
        """Gives up the buffers of batches larger than that of `arrays`."""
        batch = _batch(array.shape for array in arrays.values())
        self._kept = {shapes: kept for shapes, kept in self._kept.items() if _batch(shapes) <= batch}


def _batch(shapes: Iterable[tuple[int, ...]]) -> int:
    """The first dimension of the inputs; an input without dimensions counts for nothing."""
    return max((shape[0] for shape in shapes if shape), default=1)


class _Binding:
    """For inputs of one shape. size: of the output buffers in bytes."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.size = 0
        self._session = session
        self._names = [value.name for value in session.get_outputs()]
        self._binding = session.io_binding()
        self._buffers: dict[str, Tensor] = {}
        self._varies = False

    def run(self, inputs: Mapping[str, Tensor], options: Any) -> dict[str, Tensor]:
        for name, array in inputs.items():
            # By address: bound as an array, the caller's picture would be kept until the next call.
            self._binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        if self._buffers:
            try:
                self._session.run_with_iobinding(self._binding, options)
                return dict(self._buffers)
            except Exception:
                # Either the network fails, and will again, or the shapes of its outputs depend on values, as after a
                # suppression inside the graph, and the buffers do not fit.
                self._varies = True
        self._free_outputs()
        self._session.run_with_iobinding(self._binding, options)
        outputs = dict(zip(self._names, self._binding.copy_outputs_to_cpu(), strict=True))
        if not self._varies:
            self._bind_outputs(outputs)
        return outputs

    def _free_outputs(self) -> None:
        """Lets ONNX Runtime allocate them; else it would write into those of the last run."""
        self._buffers, self.size = {}, 0
        for name in self._names:
            self._binding.bind_output(name)

    def _bind_outputs(self, buffers: dict[str, Tensor]) -> None:
        for name, array in buffers.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self._buffers, self.size = dict(buffers), sum(array.nbytes for array in buffers.values())
