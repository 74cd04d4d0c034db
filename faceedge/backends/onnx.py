"""ONNX Runtime: the engine of every Linux box, on a GPU where one is configured, and the fallback on a Jetson."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from faceedge.backends.base import Input, Memory, Tensor
from faceedge.backends.binding import Bindings, Form, form_of
from faceedge.backends.heap import large_blocks_apart, return_freed_memory
from faceedge.backends.inputs import are_of, check_inputs
from faceedge.backends.onnx_session import device_of, open_session, shrinking, speaks_of_memory, specs_of, told
from faceedge.errors import EngineError, NoMemory


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
        self._is_cold = True
        self._registry = _Registry()
        self._threads: _Threads | None = _Threads(session, self._registry)

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        """See `Engine.infer`."""
        threads = self._threads  # read once: another thread may close
        if threads is None:
            raise EngineError("the engine is closed; open the model again")
        mine, form = threads.mine, form_of(arrays)
        if is_new := form not in mine:
            check_inputs(self.inputs, arrays, self.max_batch)
        here = cast(Mapping[str, Tensor], arrays)  # what is on a device has been refused
        with _translated():
            outputs = self._run_new(mine, form, here) if is_new else mine.run(form, here)
            self._give_back(mine)  # not before: this batch may have been cut just before the trim
            return outputs

    @large_blocks_apart()
    def _run_new(self, mine: Bindings, form: Form, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The arena of ONNX Runtime grows with a form that it has not run before, or not since the last trim."""
        if self._is_cold:
            self._is_cold = False
            mine.run_first_rows(arrays)  # ONNX Runtime never gives back what the very first run took
        return mine.run(form, arrays)

    @property
    def memory(self) -> Memory:
        """See `Engine.memory`. Weights are the size of the graph's file: constants that the graph makes at load do not
        count. Working are the output buffers of all threads: ONNX Runtime does not tell Python how large its arena for
        the activations is."""
        return Memory(self._file_bytes, self._registry.held_bytes()) if self._threads else Memory(0, 0)

    def takes(self, shapes: Mapping[str, tuple[int, ...]]) -> bool:
        """See `Engine.takes`."""
        return are_of(self.inputs, shapes)

    def trim(self) -> None:
        """See `Engine.trim`."""
        self._trims += 1

    def tidy(self) -> None:
        """See `Engine.tidy`: what other threads run at this moment stays until they tidy up themselves."""
        if (threads := self._threads) is not None:
            with _translated():
                self._give_back(threads.mine)

    def close(self) -> None:
        """See `Engine.close`."""
        self._threads = None
        return_freed_memory()

    def _give_back(self, mine: Bindings) -> None:
        if mine.trims != self._trims:
            mine.trims = self._trims
            with large_blocks_apart():
                mine.empty(shrinking(self.device))
            return_freed_memory()


@contextmanager
def _translated() -> Iterator[None]:
    """ONNX Runtime raises its own untyped exceptions."""
    try:
        yield
    except Exception as error:
        if speaks_of_memory(error):
            raise NoMemory(f"ONNX Runtime has no memory left: {told(error)}; lower [batch] max") from error
        raise EngineError(f"ONNX Runtime failed: {told(error)}; verify the model") from error


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
