"""ONNX Runtime: the engine of every Linux box, on a GPU where one is configured, and the fallback on a Jetson."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from faceedge.backends.base import Input, Memory, Tensor
from faceedge.backends.binding import Bindings, Form, form_of
from faceedge.backends.heap import return_freed_memory
from faceedge.backends.inputs import check_inputs
from faceedge.backends.onnx_session import device_of, open_session, shrinking, specs_of, told
from faceedge.errors import EngineError


class OnnxEngine:
    """One ONNX Runtime session. Threads may call `infer` at the same time, each has results of its own; `close` waits
    for nobody. providers: `tensorrt`, `cuda`, `cpu`; a layer runs on the first that can, the CPU is always the last.

    Raises PackageError when the graph cannot be opened, EngineError when a provider is absent or does not start,
    MissingExtra without onnxruntime.
    """

    def __init__(self, graph: Path, *, max_batch: int, threads: int = 1, providers: Sequence[str] = ("cpu",)) -> None:
        session = open_session(graph, threads, providers)
        self.inputs = specs_of(session.get_inputs(), graph)
        self.outputs = specs_of(session.get_outputs(), graph)
        self.max_batch = max_batch
        self.device = device_of(session)
        self._file_bytes = graph.stat().st_size
        self._trims = 0
        self._registry = _Registry()
        self._threads: _Threads | None = _Threads(session, self._registry)

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        """See `Engine.infer`."""
        threads = self._threads  # read once: another thread may close
        if threads is None:
            raise EngineError("the engine is closed; open the model again")
        mine, form = threads.mine, form_of(arrays)
        if form not in mine:
            check_inputs(self.inputs, arrays, self.max_batch)
        here = cast(Mapping[str, Tensor], arrays)  # what is on a device has been refused
        try:
            return mine.run(form, here) if mine.trims == self._trims else self._infer_trimmed(mine, form, here)
        except Exception as error:  # ONNX Runtime raises its own untyped exceptions
            raise EngineError(f"ONNX Runtime failed: {told(error)}; verify the model") from error

    @property
    def memory(self) -> Memory:
        """See `Engine.memory`. Weights are the size of the graph's file: constants that the graph makes at load do not
        count. Working are the output buffers of all threads: ONNX Runtime does not tell Python how large its arena for
        the activations is."""
        return Memory(self._file_bytes, self._registry.held_bytes()) if self._threads else Memory(0, 0)

    def trim(self) -> None:
        """See `Engine.trim`: the next `infer` of every thread gives up what larger batches left behind, except that
        ONNX Runtime keeps what the very first `infer` took."""
        self._trims += 1

    def close(self) -> None:
        """See `Engine.close`."""
        self._threads = None
        return_freed_memory()

    def _infer_trimmed(self, mine: Bindings, form: Form, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        mine.trims = self._trims
        mine.forget_larger(form)
        mine.run(form, arrays)  # binds the outputs: where ONNX Runtime still holds them, its arena cannot shrink
        outputs = mine.run(form, arrays, shrinking(self.device))
        return_freed_memory()
        return outputs


class _Registry:
    """The bindings of all threads that live."""

    def __init__(self) -> None:
        self._all: weakref.WeakSet[Bindings] = weakref.WeakSet()
        self._lock = threading.Lock()  # a set that grows cannot be walked

    def new(self, session: Any) -> Bindings:
        made = Bindings(session)
        with self._lock:
            self._all.add(made)
        return made

    def held_bytes(self) -> int:
        with self._lock:
            return sum(bindings.held_bytes for bindings in self._all)


class _Threads(threading.local):
    """Every thread finds bindings of its own in `mine`: Python calls `__init__` anew for each that looks."""

    def __init__(self, session: Any, registry: _Registry) -> None:
        self.mine = registry.new(session)
