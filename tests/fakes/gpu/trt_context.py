"""The stand-in's execution context: shapes and addresses in, a run of ONNX Runtime on that memory when the stream gets
there. What the real one would refuse is refused; a refusal that nobody looked at is told at the next run.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import traceback
from typing import Any

import numpy as np

from tests.fakes.gpu import driver, trt_log
from tests.fakes.gpu.rules import Dims, StandinMisuse
from tests.fakes.gpu.trt_engine import ALIGNMENT
from tests.fakes.gpu.trt_graph import NUMPY, Shape, bytes_of

ILLEGAL_ADDRESS, LAUNCH_FAILED = 700, 719
_pending: dict[int, Any] = {}
_numbers = itertools.count(1)


@driver.STEP
def _step(number: int) -> int:
    """Called by the driver, on the thread that waits."""
    try:
        return int(_pending.pop(number)())
    except Exception:  # what ONNX Runtime raises is untyped; it must not pass through C
        sys.stderr.write(traceback.format_exc())
        return LAUNCH_FAILED


class Context:
    """One at a time runs; keeps its engine alive, but neither addresses nor the arena."""

    def _begin(self, engine: Any) -> None:
        self._engine, self._logger = engine, engine._logger
        self._profile = 0
        self._shapes: dict[str, Shape] = {t.name: t.shape for t in engine._graph.inputs if -1 not in t.shape}
        self._addresses: dict[str, int] = {}
        self._arena: tuple[int, int] | None = None
        self._own = 0
        self._told: int | None = None
        self._ignored = ""
        self._values.update(name="", profiler=None, debug_sync=False, enqueue_emits_profile=True)

    def __del__(self) -> None:
        if self.__dict__.get("_own"):
            driver.library().cuMemFree_v2(self._own)

    @property
    def engine(self) -> Any:
        """Whose it is."""
        return self._engine

    @property
    def active_optimization_profile(self) -> int:
        """The first at the start."""
        return self._profile

    @property
    def all_binding_shapes_specified(self) -> bool:
        """Whether every input has a shape."""
        return len(self._shapes) == len(self._engine._in)

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        """Another profile; the shapes have to be set anew. Raises RuntimeError, as the binding does."""
        if not 0 <= profile_index < len(self._engine._profiles) or driver.library().standin_stream(stream_handle):
            raise RuntimeError("Error in set optimization profile async.")
        self._profile = profile_index
        self._shapes = {t.name: t.shape for t in self._engine._graph.inputs if -1 not in t.shape}
        self._told = None
        return True

    def set_input_shape(self, name: str, shape: Any) -> bool:
        """False, and a line, outside the profile."""
        given, fault = tuple(int(size) for size in shape), ""
        if name not in self._engine._in:
            fault = f"{name} is not the name of an input tensor"
        else:
            least, _, most = self._engine._profiles[self._profile][name]
            if len(given) != len(least):
                fault = f"{name} has {len(least)} dimensions, given are {len(given)}"
            elif not all(a <= size <= b for a, size, b in zip(least, given, most, strict=True)):
                fault = f"Set dimension {given} for tensor {name} does not satisfy any optimization profiles: {least} to {most}"  # fmt: skip # noqa: E501
        if fault:
            return self._no("set_input_shape", fault)
        self._shapes[name] = given
        return self._yes("set_input_shape")

    def get_tensor_shape(self, name: str) -> Any:
        """-1 where shapes of inputs are still missing."""
        if not self._engine._knows(name):
            return Dims()
        if name in self._engine._in:
            return Dims(self._shapes.get(name, self._engine._tensors[name].shape))
        found = self._engine._graph.output_shapes(self._shapes) if self.all_binding_shapes_specified else {}
        return Dims(found.get(name, self._engine._tensors[name].shape))

    def infer_shapes(self) -> list[str]:
        """Inputs whose shapes are missing."""
        return [name for name in self._engine._in if name not in self._shapes]

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """0 takes the address back."""
        if name not in self._engine._tensors:
            return self._no("set_tensor_address", f"{name} is not the name of an input or output tensor")
        self._addresses[name] = int(memory)
        return self._yes("set_tensor_address")

    def get_tensor_address(self, name: str) -> int:
        """0 where none was set."""
        return self._addresses.get(name, 0)

    def update_device_memory_size_for_shapes(self) -> int:
        """What the shapes at hand need; all of them have to be set."""
        if not self.all_binding_shapes_specified:
            trt_log.error(self._logger, "updateDeviceMemorySizeForShapes: not all input shapes are specified")
            return 0
        self._told = self._engine._need(self._shapes)
        return self._told

    def set_device_memory(self, memory: int, size: int) -> None:
        """The arena; what is wrong with it shows in a line, and when it is used."""
        self._arena = None
        if int(memory) % ALIGNMENT:
            trt_log.error(self._logger, f"setDeviceMemoryV2: {int(memory):#x} is not aligned to {ALIGNMENT} bytes")
            return
        self._arena = (int(memory), int(size))

    @property
    def device_memory(self) -> Any:
        """Write-only in the binding."""
        raise AttributeError("unreadable attribute")

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Takes its place on the stream. False, and a line, where something is missing."""
        if self._ignored:
            raise StandinMisuse(f"IExecutionContext.{self._ignored} answered False, and nobody looked")
        if fault := self._fault(stream_handle):
            trt_log.error(self._logger, f"IExecutionContext::enqueueV3: Error Code 3: API Usage Error ({fault})")
            self._poison()
            return False
        number = next(_numbers)
        _pending[number] = self._job()
        code = driver.library().standin_enqueue(stream_handle, _step, number)
        if code:
            del _pending[number]
            trt_log.error(self._logger, f"IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime ({code})")
        return not code

    def _take_own(self) -> bool:
        memory, size = ctypes.c_uint64(), max(ALIGNMENT, self._engine.device_memory_size_v2)
        if code := driver.library().cuMemAlloc_v2(ctypes.byref(memory), size):
            trt_log.error(self._logger, f"createExecutionContext: Error Code 2: OutOfMemory, code {code}")
            return False
        self._own = memory.value
        self._arena = (memory.value, size)
        return True

    def _no(self, call: str, fault: str) -> bool:
        self._ignored = call
        trt_log.error(self._logger, f"IExecutionContext::{call}: Error Code 3: API Usage Error ({fault})")
        return False

    def _yes(self, call: str) -> bool:
        """Who asks again after a refusal has looked at it."""
        self._ignored = "" if self._ignored == call else self._ignored
        return True

    def _fault(self, stream: int) -> str:  # noqa: PLR0911 - a list of what can be wrong
        if code := driver.library().standin_current():
            return f"no context on this thread, CUDA answers {code}"
        if driver.library().standin_stream(stream):
            return f"{stream:#x} is no stream"
        if missing := self.infer_shapes():
            return f"the shape of {missing[0]} is not set"
        if not self._engine._graph.output_shapes(self._shapes):
            return f"the network cannot run on {self._shapes}"
        for name in self._engine._tensors:
            address = self._addresses.get(name, 0)
            if not address:
                return f"the address of {name} is not set"
            if address % ALIGNMENT:
                return f"the address of {name}, {address:#x}, is not aligned to {ALIGNMENT} bytes"
        need = self._arena_need()
        if not self._arena or self._arena[1] < need:
            return f"device memory of {need} bytes is needed, set are {self._arena[1] if self._arena else 0}"
        return ""

    def _arena_need(self) -> int:
        """What was last told to be needed, as long as the shapes have not outgrown it; else all of the profile."""
        if self._told is not None and self._engine._need(self._shapes) <= self._told:
            return self._told
        return int(self._engine.get_device_memory_size_for_profile_v2(self._profile))

    def _sizes(self) -> dict[str, tuple[int, Shape, Any]]:
        """Address, shape and tensor by name."""
        shapes = {**self._shapes, **self._engine._graph.output_shapes(self._shapes)}
        return {name: (self._addresses[name], shapes[name], t) for name, t in self._engine._tensors.items()}

    def _job(self) -> Any:
        engine, where, arena = self._engine, self._sizes(), (self._arena or (0, 0))[0]
        need, logger = self._engine._need(self._shapes), self._logger

        def run() -> int:
            ranges = [(address, bytes_of(t, shape), t.name) for address, shape, t in where.values()]
            for address, size, name in (*ranges, (arena, need, "the arena")):
                if driver.library().standin_check(address, size):
                    trt_log.error(logger, f"{name}: {size} bytes at {address:#x} are not memory of the device")
                    return ILLEGAL_ADDRESS
            ctypes.memset(arena, 0xA5, need)  # activations overwrite whatever else lies there
            views = {name: _view(address, shape, t.dtype) for name, (address, shape, t) in where.items()}
            names = [tensor.name for tensor in engine._graph.outputs]
            answer = engine._session.run(names, {name: views[name] for name in engine._in})
            for name, found in zip(names, answer, strict=True):
                np.copyto(views[name], found)
            return 0

        return run

    def _poison(self) -> None:
        """A run that was refused leaves no old answer behind that could pass for a new one."""
        if not self.all_binding_shapes_specified:
            return
        shapes = self._engine._graph.output_shapes(self._shapes)
        for tensor in self._engine._graph.outputs:
            address, size = self._addresses.get(tensor.name, 0), bytes_of(tensor, shapes.get(tensor.name, (0,)))
            if driver.library().standin_holds(address, size):
                ctypes.memset(address, 0xFF, size)  # floats become NaN


def _view(address: int, shape: Shape, dtype: str) -> Any:
    size = int(np.prod(shape)) * np.dtype(NUMPY[dtype]).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), NUMPY[dtype]).reshape(shape)


MODELS: dict[str, type] = {"IExecutionContext": Context}
