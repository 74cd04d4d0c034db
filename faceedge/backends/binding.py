"""What one thread keeps for an ONNX Runtime session: bindings of inputs and outputs, by the form of the inputs.

Inputs are read where the caller has them; outputs are written into buffers that the next call uses again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from faceedge.backends.base import Tensor

if TYPE_CHECKING:
    import onnxruntime

FORMS_KEPT = 4
"""Cameras of several sizes make canvases of several sizes. Other forms are allocated anew, as without binding."""

Form = tuple[tuple[str, Any, Any], ...]


def form_of(arrays: Mapping[str, object]) -> Form:
    """Name, shape and dtype of every input, as far as it has them."""
    return tuple([(name, getattr(a, "shape", None), getattr(a, "dtype", None)) for name, a in arrays.items()])


class Bindings:
    """One thread's. trims: the engine's count of `trim` that this thread has followed."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.trims = 0
        self._session = session
        self._kept: dict[Form, _Binding] = {}

    @property
    def held_bytes(self) -> int:
        """Size of the output buffers, also for other threads to read."""
        return sum(binding.size for binding in list(self._kept.values()))

    def __contains__(self, form: Form) -> bool:
        """Whether inputs of this form have been run, so that nothing is wrong with them."""
        return form in self._kept

    def run(self, form: Form, arrays: Mapping[str, Tensor], options: Any = None) -> dict[str, Tensor]:
        """The outputs; a later call may overwrite them. form: of `arrays`. options: `onnxruntime.RunOptions`.

        Raises ONNX Runtime's own exceptions.
        """
        binding = self._kept.get(form) or _Binding(self._session)
        outputs = binding.run(arrays, options)
        self._kept.pop(form, None)
        self._kept[form] = binding  # the newest is the last to be given up
        if len(self._kept) > FORMS_KEPT:
            del self._kept[next(iter(self._kept))]
        return outputs

    def run_first_rows(self, arrays: Mapping[str, Tensor]) -> None:
        """The first of a batch alone, where the graph takes that; nothing is kept of it."""
        rows = self._one_row(arrays)
        if any(rows[name].shape != arrays[name].shape for name in rows):
            with suppress(Exception):
                _Binding(self._session).run(rows, None)

    def empty(self, shrinking: Any) -> None:
        """Gives up all buffers. ONNX Runtime gives back what its arena does not use at the end of a run with the
        options `shrinking`: that of the least there is to run. When it fails, the next batch fails as well."""
        forms, self._kept = list(self._kept), {}
        if not forms:
            return
        least = {name: np.zeros(shape, dtype) for name, shape, dtype in min(forms, key=_size)}
        with suppress(Exception):
            smallest, rows = _Binding(self._session), self._one_row(least)
            smallest.run(rows, None)  # binds the outputs: where ONNX Runtime still holds them, its arena cannot shrink
            smallest.run(rows, shrinking)

    def _one_row(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of every input the first row, where all of them are free in their first dimension."""
        specs = self._session.get_inputs()
        if any(not spec.shape or isinstance(spec.shape[0], int) for spec in specs):
            return dict(arrays)
        return {name: array[:1] for name, array in arrays.items()}


def _size(form: Form) -> int:
    return sum(math.prod(shape) for _, shape, _ in form)


class _Binding:
    """For inputs of one form. size: of the output buffers in bytes."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self.size = 0
        self._session = session
        self._names = [value.name for value in session.get_outputs()]
        self._binding = session.io_binding()
        self._buffers: dict[str, Tensor] = {}
        self._varies = False

    def run(self, inputs: Mapping[str, Tensor], options: Any) -> dict[str, Tensor]:
        for name, array in inputs.items():
            self._binding.bind_cpu_input(name, array)  # makes a copy of what is not C-contiguous, and of nothing else
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
