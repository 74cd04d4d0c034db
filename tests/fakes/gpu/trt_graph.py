"""What the stand-in TensorRT knows of a network: ONNX bytes in, inputs, outputs, shapes and complaints out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, shape_inference

Shape = tuple[int, ...]
DTYPES = {
    TensorProto.FLOAT: "FLOAT", TensorProto.FLOAT16: "HALF", TensorProto.INT8: "INT8", TensorProto.INT32: "INT32",
    TensorProto.BOOL: "BOOL", TensorProto.UINT8: "UINT8", TensorProto.INT64: "INT64", TensorProto.BFLOAT16: "BF16",
}  # fmt: skip
ITEM_BYTES = {"FLOAT": 4, "HALF": 2, "INT8": 1, "INT32": 4, "BOOL": 1, "UINT8": 1, "INT64": 8, "BF16": 2}
NUMPY = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "INT32": "int32", "BOOL": "bool", "UINT8": "uint8",
    "INT64": "int64",
}  # fmt: skip
_QDQ = ("QuantizeLinear", "DequantizeLinear")
_SMALL = 4096  # bytes: initializers up to this size may decide shapes


@dataclass(frozen=True)
class Tensor:
    """An input or output; -1 is a free dimension. dtype: the name in DataType."""

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True)
class Complaint:
    """Why the parser refuses the network."""

    node: int
    code: str
    text: str


class Graph:
    """One parsed network."""

    def __init__(self, model: bytes) -> None:
        self.bytes = model
        self._model = onnx.load_from_string(model)
        graph = self._model.graph
        weights = {tensor.name for tensor in graph.initializer}
        self.inputs = [_tensor(value) for value in graph.input if value.name not in weights]
        self.outputs = [_tensor(value) for value in graph.output]
        self.nodes = [(node.name or f"{node.op_type}_{n}", node.op_type) for n, node in enumerate(graph.node)]
        self.quantised = any(kind in _QDQ for _, kind in self.nodes)
        self.weight_bytes = sum(_bytes_of(tensor) for tensor in graph.initializer)
        self._shapes: dict[tuple[Shape, ...], dict[str, Shape]] = {}

    def precision_of(self, node: int, *, half: bool) -> str:
        """By name only: what a layer would run in. Everything really runs as the file says."""
        made_by = {name: n.op_type for n in self._model.graph.node for name in n.output}
        fed = [made_by.get(name) for name in self._model.graph.node[node].input]
        if "DequantizeLinear" in fed and self.nodes[node][1] in ("Conv", "Gemm", "MatMul", "ConvTranspose"):
            return "INT8"
        return "FP16" if half else "FP32"

    def complaints(self) -> list[Complaint]:
        """What TensorRT's parser does not take."""
        found = []
        constants = _constants(self._model.graph)
        for n, node in enumerate(self._model.graph.node):
            if node.domain not in ("", "ai.onnx"):
                found.append(Complaint(n, "UNSUPPORTED_NODE", f"No importer registered for op: {node.op_type}"))
            if node.op_type in _QDQ and len(node.input) > 2 and not _is_zero(constants.get(node.input[2])):
                text = "TensorRT only supports symmetric quantization, so the zero point must be all zeros"
                found.append(Complaint(n, "UNSUPPORTED_NODE_INPUT", f"{node.op_type}: {text}"))
        for tensor in (*self.inputs, *self.outputs):
            if tensor.dtype not in ITEM_BYTES:
                found.append(Complaint(-1, "UNSUPPORTED_NODE_DATATYPE", f"{tensor.name}: {tensor.dtype} unsupported"))
        return found

    def output_shapes(self, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
        """The shapes of all outputs for these of all inputs; nothing where the network cannot run on them."""
        key = tuple(inputs[tensor.name] for tensor in self.inputs)
        if key not in self._shapes:
            self._shapes[key] = self._inferred(inputs) or self._tried(inputs)
        return self._shapes[key]

    def _inferred(self, inputs: Mapping[str, Shape]) -> dict[str, Shape] | None:
        model = onnx.ModelProto()
        model.CopyFrom(self._light())
        for value in model.graph.input:
            for n, size in enumerate(inputs.get(value.name, ())):
                value.type.tensor_type.shape.dim[n].dim_value = size
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
        try:
            found = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
        except (shape_inference.InferenceError, ValueError):
            return None
        shapes = {value.name: _tensor(value).shape for value in found}
        known = all(value.type.tensor_type.HasField("shape") for value in found)
        return shapes if known and all(size >= 0 for shape in shapes.values() for size in shape) else None

    def _light(self) -> onnx.ModelProto:
        """The network without the values of its large weights."""
        light = onnx.ModelProto()
        light.CopyFrom(self._model)
        kept = [tensor for tensor in light.graph.initializer if _bytes_of(tensor) <= _SMALL]
        declared = {value.name for value in light.graph.input}
        for tensor in light.graph.initializer:
            if _bytes_of(tensor) > _SMALL and tensor.name not in declared:
                value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                light.graph.input.append(value)
        light.graph.ClearField("initializer")
        light.graph.initializer.extend(kept)
        self._light = lambda: light  # type: ignore[method-assign]
        return light

    def _tried(self, inputs: Mapping[str, Shape]) -> dict[str, Shape]:
        zeros = {t.name: np.zeros(inputs[t.name], NUMPY[t.dtype]) for t in self.inputs}
        try:
            answer = session(self.bytes).run(None, zeros)
        except Exception:  # ONNX Runtime raises its own untyped exceptions
            return {}
        return {tensor.name: tuple(found.shape) for tensor, found in zip(self.outputs, answer, strict=True)}


def session(model: bytes) -> onnxruntime.InferenceSession:
    """Runs the network on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def bytes_of(tensor: Tensor, shape: Shape) -> int:
    """What a tensor takes at this shape."""
    return prod(shape) * ITEM_BYTES[tensor.dtype]


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in kind.shape.dim)
    return Tensor(value.name, DTYPES.get(kind.elem_type, TensorProto.DataType.Name(kind.elem_type)), shape)


def _bytes_of(tensor: TensorProto) -> int:
    return prod(tensor.dims) * ITEM_BYTES.get(DTYPES.get(tensor.data_type, ""), 8)


def _constants(graph: onnx.GraphProto) -> dict[str, TensorProto]:
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            found[node.output[0]] = node.attribute[0].t
    return found


def _is_zero(tensor: TensorProto | None) -> bool:
    return tensor is not None and tensor.data_type == TensorProto.INT8 and not onnx.numpy_helper.to_array(tensor).any()
