"""A plan opened by TensorRT. All of it is made, used and ended on the GPU thread, inside `Gpu.run`; the engine in
`tensorrt.py` stands in front of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.arena import Arena, Block
from faceedge.backends.base import DeviceTensor, TensorSpec
from faceedge.backends.cuda import Gpu
from faceedge.backends.trt_layout import ALIGNMENT, Form, Layout, lay_out
from faceedge.backends.trt_log import log_of, tensorrt
from faceedge.backends.trt_network import speaks_of_memory
from faceedge.errors import EngineError, NoDeviceMemory, one_line

_FORMS_KEPT = 16
"""Cameras of several sizes make canvases of several sizes. Another form is worked out anew, which allocates nothing."""

Range = tuple[tuple[int, ...], tuple[int, ...]]


class OpenPlan:
    """inputs, outputs: as the graph has them. profile: smallest and largest shape of every input that varies. weights:
    bytes. forms: what is known of the forms that were run, for any thread to read.

    Raises EngineError when TensorRT does not take the plan, NoDeviceMemory when there is no room for it.
    """

    def __init__(self, plan: bytes, gpu: Gpu, arena: Arena) -> None:
        self._trt = tensorrt()
        self._log = log_of(self._trt)
        self._gpu, self._arena = gpu, arena
        self.forms: dict[Form, Layout] = {}
        self._set: tuple[Layout, Block] | None = None
        self._trims = 0
        self._engine, self._context = self._opened(plan)
        modes = self._trt.TensorIOMode
        self.inputs, self.outputs = self._specs(modes.INPUT), self._specs(modes.OUTPUT)
        self.profile = {spec.name: self._range(spec.name) for spec in self.inputs if -1 in spec.shape}
        self.weights = self._weights(len(plan))

    @property
    def max_batch(self) -> int:
        """The largest that every input takes."""
        largest = [self.profile[spec.name][1] if spec.name in self.profile else spec.shape for spec in self.inputs]
        return min((shape[0] for shape in largest if shape), default=1)

    def laid_out(self, form: Form) -> Layout:
        """What the form needs. Raises EngineError when TensorRT does not take it."""
        found = self.forms.get(form)
        if found is None:
            found = self._work_out(form)
            self.forms = {**dict(list(self.forms.items())[1 - _FORMS_KEPT :]), form: found}
        return found

    def run(self, layout: Layout, host: NDArray[np.uint8], tensors: Mapping[str, DeviceTensor]) -> None:
        """One batch: inputs from `host` and from the device, outputs into `host`, as `layout` has them."""
        context = self._alive()
        self._log.forget()
        try:
            block = self._arena.hold(self, layout.need)
            self._point(context, layout, block, tensors)
            self._travel(context, layout, block, host)
        except BaseException:
            self._set = None  # whatever was set, the next run sets it anew
            self._gpu.check()  # a lost device says so here; else waits for what was enqueued on the caller's memory
            raise

    def need_nothing(self, trims: int) -> None:
        """Until the next run. trims: the engine's count of `trim`; one that was followed counts no more."""
        if trims > self._trims:
            self._trims = trims
            self._set = None
            with suppress(NoDeviceMemory):  # for what the others need: each asks again when it runs
                self._arena.leave(self)

    def close(self) -> None:
        """Gives back what the plan holds; a second call does nothing."""
        self._set = None
        self._context = None  # before its engine
        self._engine = None
        self._arena.leave(self)

    def __del__(self) -> None:
        """Never closed: its parts must not be dropped by a thread without the CUDA context."""
        parts = [self.__dict__.pop(name) for name in ("_engine", "_context") if self.__dict__.get(name) is not None]
        if parts:
            self._gpu.bury(parts)

    def _opened(self, plan: bytes) -> tuple[Any, Any]:
        self._log.forget()
        try:
            runtime = self._trt.Runtime(self._log)
        except Exception as error:  # where its library answers nothing, the binding raises what it has
            raise EngineError(
                f"TensorRT does not start: {one_line(str(error), 200)}; check its installation"
            ) from error
        engine = self._must(runtime.deserialize_cuda_engine(plan), "does not take the plan", "build it again")
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        return engine, self._must(engine.create_execution_context(strategy), "cannot run the plan", "build it again")

    def _specs(self, mode: Any) -> tuple[TensorSpec, ...]:
        engine = self._engine
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        return tuple(self._spec(name) for name in names if engine.get_tensor_mode(name) == mode)

    def _spec(self, name: str) -> TensorSpec:
        if self._engine.get_tensor_location(name) != self._trt.TensorLocation.DEVICE:
            raise EngineError(f"{name} is a shape, not an array; export the network without such inputs and outputs")
        dtype = self._engine.get_tensor_dtype(name)
        try:
            known = np.dtype(self._trt.nptype(dtype)).name
        except TypeError as error:
            raise EngineError(f"{name}: numpy has no {dtype}; export the network with float32") from error
        return TensorSpec(name, known, tuple(self._engine.get_tensor_shape(name)))

    def _range(self, name: str) -> Range:
        smallest, _, largest = self._engine.get_tensor_profile_shape(name, 0)
        return tuple(smallest), tuple(largest)

    def _weights(self, plan_bytes: int) -> int:
        """TensorRT tells their size from 10.16 on; before that the plan, which is mostly weights, stands for them."""
        if not hasattr(self._engine, "get_engine_stat"):
            return plan_bytes
        told = int(self._engine.get_engine_stat(self._trt.EngineStat.TOTAL_WEIGHTS_SIZE))
        return told if told > 0 else plan_bytes

    def _work_out(self, form: Form) -> Layout:
        context = self._alive()
        self._log.forget()
        self._set = None
        for spec, (shape, _) in zip(self.inputs, form, strict=True):
            self._check_range(spec.name, shape)
            self._take_shape(context, spec.name, shape)
        activations = self._activations(context)
        outputs = {spec: tuple(context.get_tensor_shape(spec.name)) for spec in self.outputs}
        for spec, shape in outputs.items():
            if len(shape) != len(spec.shape) or min(shape, default=1) < 0:
                raise EngineError(
                    f"{spec.name}: its shape {shape} is not known before the run; export the network without "
                    f"suppression or selection at its end"
                )
        return lay_out(self.inputs, form, outputs, activations)

    def _point(self, context: Any, layout: Layout, block: Block, tensors: Mapping[str, DeviceTensor]) -> None:
        """Shapes and working memory where they changed, then every address."""
        if self._set != (layout, block):
            self._set = None
            for name, shape in layout.shapes.items():
                self._take_shape(context, name, shape)
            self._activations(context)  # TensorRT divides the memory anew for these shapes
            context.set_device_memory(block.address, layout.activations)
            self._set = layout, block
        start = block.address + layout.activations
        for name, place in (*layout.inputs.items(), *layout.outputs.items()):
            self._take_address(context, name, start + place.offset)
        for name, tensor in tensors.items():
            if tensor.pointer % ALIGNMENT:
                raise EngineError(f"{name}: the array on the device does not start at a multiple of {ALIGNMENT} bytes")
            self._take_address(context, name, tensor.pointer)

    def _travel(self, context: Any, layout: Layout, block: Block, host: NDArray[np.uint8]) -> None:
        """To the device, through the network, and back."""
        if layout.half:
            self._gpu.upload(block.memory, host[: layout.half], layout.activations)
        self._must(context.execute_async_v3(self._gpu.stream_handle), "failed", "run faceedge selftest")
        self._gpu.download(host[layout.half : layout.size], block.memory, layout.activations + layout.half)
        self._gpu.finish()

    def _check_range(self, name: str, shape: tuple[int, ...]) -> None:
        smallest, largest = self.profile.get(name, (shape, shape))
        if not all(least <= size <= most for least, size, most in zip(smallest, shape, largest, strict=True)):
            raise EngineError(f"{name}: {shape} is outside {smallest} to {largest} of this engine; build it for that")

    def _take_shape(self, context: Any, name: str, shape: tuple[int, ...]) -> None:
        self._must(context.set_input_shape(name, shape), f"does not take {shape} for {name}", "build it for that")

    def _take_address(self, context: Any, name: str, address: int) -> None:
        self._must(context.set_tensor_address(name, address), f"does not take the memory of {name}", "report this")

    def _activations(self, context: Any) -> int:
        """Bytes for the shapes that are set. 0 is an answer, and TensorRT's word for a failure."""
        size = int(context.update_device_memory_size_for_shapes())
        self._must(size > 0 or self._log.silent, "cannot tell what memory it needs", "build it again")
        return size

    def _alive(self) -> Any:
        if self._context is None:
            raise EngineError("the engine is closed; open the model again")
        return self._context

    def _must(self, answer: Any, what: str, mend: str) -> Any:
        """TensorRT fails without an exception. A want of memory is told apart: it is no fault of the plan."""
        if answer is None or answer is False:
            reason = self._log.reason()
            if speaks_of_memory(reason):
                raise NoDeviceMemory(f"TensorRT {what}: {reason}; lower the batch, or free memory")
            raise EngineError(f"TensorRT {what}: {reason}; {mend}")
        return answer
