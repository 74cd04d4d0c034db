"""The stand-in's Runtime, engine and inspector: a plan in, weights on the device, questions about tensors answered."""

from __future__ import annotations

import ctypes
import json
from collections import Counter
from typing import Any

import numpy as np

from tests.fakes.gpu import driver, trt_log
from tests.fakes.gpu.rules import Dims
from tests.fakes.gpu.trt_graph import ITEM_BYTES, NUMPY, Graph, Shape, bytes_of, session
from tests.fakes.gpu.trt_plan import PlanRefused, here, unpack

ALIGNMENT = 256
plans = Counter[str]()
"""How many plans reached a runtime (`offered`) and how many it took (`taken`), for tests that say: none."""


class Runtime:
    """Needs a device, as the real one does."""

    def _begin(self, logger: Any) -> None:
        self._logger = logger
        if code := driver.library().cuInit(0):
            trt_log.error(logger, f"CUDA initialization failure with error: {code}")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    @property
    def logger(self) -> Any:
        """As given."""
        return self._logger

    def deserialize_cuda_engine(self, serialized_engine: Any) -> Any:
        """None, and a line, for a plan that is damaged or foreign, without a context, and without memory."""
        plans["offered"] += 1
        if code := driver.library().standin_current():
            return self._no(f"Error Code 1: Cuda Runtime (no context on this thread: {code})")
        try:
            settings, model = unpack(bytes(serialized_engine), here(self._trt.__version__))
        except PlanRefused as refused:
            return self._no(f"Error Code 1: Serialization ({refused})")
        graph = Graph(model)
        weights = ctypes.c_uint64()
        if code := driver.library().cuMemAlloc_v2(ctypes.byref(weights), max(ALIGNMENT, graph.weight_bytes)):
            return self._no(f"Error Code 2: OutOfMemory (no further information), code {code}")
        plans["taken"] += 1
        return self._trt.ICudaEngine._make(runtime=self, settings=settings, graph=graph, weights=weights.value)

    def _no(self, line: str) -> None:
        trt_log.error(self._logger, f"IRuntime::deserializeCudaEngine: {line}")


class Engine:
    """Weights on the device; keeps its runtime alive."""

    def _begin(self, runtime: Any, settings: dict[str, Any], graph: Graph, weights: int) -> None:
        self._runtime, self._settings, self._graph, self._weights = runtime, settings, graph, weights
        self._logger = runtime._logger
        self._tensors = {tensor.name: tensor for tensor in (*graph.inputs, *graph.outputs)}
        self._in = [tensor.name for tensor in graph.inputs]
        given = settings["profiles"] or [{}]
        self._profiles = [
            {t.name: [tuple(s) for s in p.get(t.name, [t.shape] * 3)] for t in graph.inputs} for p in given
        ]
        self._session = session(graph.bytes)

    def __del__(self) -> None:
        if "_weights" in self.__dict__:  # made whole; without a context this frees nothing, and is counted
            driver.library().cuMemFree_v2(self._weights)

    @property
    def num_io_tensors(self) -> int:
        """Inputs, then outputs."""
        return len(self._tensors)

    @property
    def num_optimization_profiles(self) -> int:
        """At least one."""
        return len(self._profiles)

    @property
    def num_layers(self) -> int:
        """As many as the ONNX graph has nodes."""
        return len(self._graph.nodes)

    @property
    def name(self) -> str:
        """Nobody gave one."""
        return "Unnamed Network 0"

    @property
    def profiling_verbosity(self) -> Any:
        """As it was built."""
        return getattr(self._trt.ProfilingVerbosity, self._settings["verbosity"])

    @property
    def device_memory_size_v2(self) -> int:
        """The most that any profile needs."""
        return max(self.get_device_memory_size_for_profile_v2(n) for n in range(len(self._profiles)))

    @property
    def device_memory_size(self) -> int:
        """The older name."""
        return self.device_memory_size_v2

    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        """For the largest shapes of the profile."""
        return self._need({name: shapes[2] for name, shapes in self._profiles[profile_index].items()})

    def get_device_memory_size_for_profile(self, profile_index: int) -> int:
        """The older name."""
        return self.get_device_memory_size_for_profile_v2(profile_index)

    def get_tensor_name(self, index: int) -> str:
        """By number."""
        return list(self._tensors)[index]

    def get_tensor_mode(self, name: str) -> Any:
        """NONE for a name that it does not know."""
        mode = self._trt.TensorIOMode
        return mode.NONE if name not in self._tensors else mode.INPUT if name in self._in else mode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        """FLOAT, and a line, for a name that it does not know."""
        return getattr(self._trt.DataType, self._tensors[name].dtype if self._knows(name) else "FLOAT")

    def get_tensor_shape(self, name: str) -> Any:
        """-1 is free."""
        return Dims(self._tensors[name].shape if self._knows(name) else ())

    def get_tensor_location(self, name: str) -> Any:
        """No tensor of the stand-in lies on the host."""
        return self._trt.TensorLocation.DEVICE

    def get_tensor_format(self, name: str, profile_index: int = 0) -> Any:
        """Always linear."""
        return self._trt.TensorFormat.LINEAR

    def get_tensor_bytes_per_component(self, name: str, profile_index: int = 0) -> int:
        """Bytes of a number."""
        return ITEM_BYTES[self._tensors[name].dtype] if self._knows(name) else -1

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Any]:
        """Minimum, optimum, maximum of an input."""
        if name not in self._in or profile_index >= len(self._profiles):
            trt_log.error(self._logger, f"getProfileShape: {name} is no input, or there is no profile {profile_index}")
            return []
        return [Dims(shape) for shape in self._profiles[profile_index][name]]

    def get_engine_stat(self, stat: Any = None) -> int:
        """Bytes of the weights, from 10.16 on; none were stripped."""
        stripped = stat is self._trt.EngineStat.STRIPPED_WEIGHTS_SIZE
        return 0 if stripped else self._graph.weight_bytes

    def is_shape_inference_io(self, name: str) -> bool:
        """No tensor of the stand-in is."""
        return False

    def create_engine_inspector(self) -> Any:
        """Tells what it is made of."""
        return self._trt.EngineInspector._make(engine=self)

    def serialize(self) -> Any:
        """The plan again."""
        from tests.fakes.gpu.trt_plan import pack

        settings = {name: value for name, value in self._settings.items() if name != "bound"}
        content = pack(here(self._trt.__version__), settings, self._graph.bytes)
        return self._trt.IHostMemory._make(content=content)

    def create_execution_context(self, strategy: Any = None) -> Any:
        """None, and a line, without a context or memory. USER_MANAGED takes none."""
        strategies = self._trt.ExecutionContextAllocationStrategy
        made = self._trt.IExecutionContext._make(engine=self)
        if strategy is not strategies.USER_MANAGED and not made._take_own():
            return None
        return made

    def create_execution_context_without_device_memory(self) -> Any:
        """The older way to say USER_MANAGED."""
        return self._trt.IExecutionContext._make(engine=self)

    def _knows(self, name: str) -> bool:
        if name not in self._tensors:
            trt_log.error(self._logger, f"Error Code 3: {name} is not the name of an input or output tensor")
        return name in self._tensors

    def _need(self, inputs: dict[str, Shape]) -> int:
        """Made up: what comes in and goes out, twice, in steps of 256 bytes."""
        outputs = self._graph.output_shapes(inputs)
        both = {**inputs, **outputs}
        total = sum(bytes_of(tensor, both[name]) for name, tensor in self._tensors.items() if name in both)
        return -(-2 * total // ALIGNMENT) * ALIGNMENT


class Inspector:
    """Layers, as JSON or lines; by name only where the plan was not built with DETAILED."""

    def _begin(self, engine: Any) -> None:
        self._engine = engine
        self._values["execution_context"] = None

    def get_engine_information(self, format: Any) -> str:
        """All layers."""
        layers = [self._layer(n) for n in range(self._engine.num_layers)]
        if format is self._trt.LayerInformationFormat.ONELINE:
            return "\n".join(layer if isinstance(layer, str) else layer["Name"] for layer in layers)
        return json.dumps({"Layers": layers, self._bindings_key(): list(self._engine._tensors)})

    def get_layer_information(self, layer_index: int, format: Any) -> str:
        """One layer."""
        layer = self._layer(layer_index)
        return json.dumps(layer) if not isinstance(layer, str) else layer

    def _bindings_key(self) -> str:
        return "Bindings" if self._version() < 11 else "I/O Tensors"

    def _version(self) -> int:
        return int(self._trt.__version__.split(".")[0])

    def _layer(self, number: int) -> Any:
        name, kind = self._engine._graph.nodes[number]
        if self._engine._settings["verbosity"] != "DETAILED":
            return name
        half = "FP16" in self._engine._settings["flags"]
        precision = self._engine._graph.precision_of(number, half=half)
        linear = "Row major linear"
        put = {"Format/Datatype": f"{linear} {precision}"}
        put = put if self._version() < 11 else {"Format": linear, "DataType": precision}
        return {"Name": name, "LayerType": kind, "Inputs": [put], "Outputs": [put], "TacticName": "standin"}


def _nptype(module: Any) -> Any:
    def nptype(trt_type: Any) -> Any:
        """Raises TypeError for a type that numpy has not."""
        if not isinstance(trt_type, module.DataType) or trt_type.name not in NUMPY:
            raise TypeError(f"Could not resolve TensorRT datatype to an equivalent numpy datatype: {trt_type}")
        return np.dtype(NUMPY[trt_type.name]).type

    return nptype


FUNCTIONS = {
    "nptype": _nptype,
    "volume": lambda module: lambda iterable: int(np.prod(list(iterable))),
    "init_libnvinfer_plugins": lambda module: lambda logger, namespace: True,
    "get_nv_onnx_parser_version": lambda module: lambda: 0,
}
MODELS: dict[str, type] = {"Runtime": Runtime, "ICudaEngine": Engine, "EngineInspector": Inspector}
