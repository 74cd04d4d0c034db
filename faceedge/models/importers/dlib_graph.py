"""Turns dlib's layers into an ONNX graph with a dynamic batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faceedge.errors import MissingExtra, PackageError
from faceedge.models.importers.dlib_layers import Add, Conv, Dense, Layer, Mark, Network, Pool, Relu
from faceedge.models.importers.dlib_lean import lean
from faceedge.types import Floats

OPSET = 17
IR_VERSION = 8

Shape = tuple[int, int, int]
"""Channels, height, width; 0 is free."""


def onnx_graph(network: Network, output: str) -> bytes:
    """The serialised ONNX model: input `input` float32 (batch, 3, height, width), output `output`.

    Raises MissingExtra without onnx, PackageError when the layers do not fit each other.
    """
    writer = _Writer(_onnx(), (3, *network.size))
    for layer in lean(network.layers):
        writer.add(layer)
    return writer.model(output, network)


@dataclass(slots=True)
class _Value:
    name: str
    shape: Shape


@dataclass(slots=True)
class _Writer:
    """Adds one layer after the other. marks: values left aside for a later Add."""

    onnx: Any
    input_shape: Shape
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    marks: list[_Value] = field(default_factory=list)
    value: _Value = field(init=False)
    after_mark: bool = False

    def __post_init__(self) -> None:
        self.value = _Value("input", self.input_shape)

    def add(self, layer: Layer) -> None:
        """Appends the nodes of a layer."""
        if isinstance(layer, Mark):
            self._mark()
            return
        self.after_mark = False
        if isinstance(layer, Conv):
            self._conv(layer)
        elif isinstance(layer, Relu):
            self._node("Relu", [self.value.name], self.value.shape)
        elif isinstance(layer, Pool):
            self._pool(layer)
        elif isinstance(layer, Dense):
            self._dense(layer)
        else:
            assert isinstance(layer, Add), "affine layers have been folded"
            self._add()

    def model(self, output: str, network: Network) -> bytes:
        """The finished model."""
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        self.nodes[-1].output[0] = output
        height, width = network.size
        sides = [height or "height", width or "width"]
        ends = ["batch", *self.value.shape] if self.value.shape[1] else ["batch", self.value.shape[0]]
        if network.mmod is not None:
            ends = ["batch", 1, "rows", "columns"]
        graph = helper.make_graph(
            self.nodes,
            "dlib",
            [helper.make_tensor_value_info("input", proto.FLOAT, ["batch", 3, *sides])],
            [helper.make_tensor_value_info(output, proto.FLOAT, ends)],
            self.weights,
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="faceedge")
        self.onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _mark(self) -> None:
        if self.after_mark:  # the second of two: the branch is kept, go on from the mark before it
            branch, start = self.marks.pop(), self.marks.pop()
            self.marks.append(branch)
            self.value = start
        else:
            self.marks.append(self.value)
        self.after_mark = not self.after_mark

    def _conv(self, layer: Conv) -> None:
        weights = [self._weight(layer.weights), self._weight(layer.bias)]
        channels, _, *kernel = layer.weights.shape
        shape = self._slid(channels, (kernel[0], kernel[1]), layer.stride, layer.padding)
        self._node(
            "Conv",
            [self.value.name, *weights],
            shape,
            kernel_shape=kernel,
            strides=layer.stride,
            pads=[*layer.padding, *layer.padding],
        )

    def _pool(self, layer: Pool) -> None:
        channels = self.value.shape[0]
        if layer.kernel == (0, 0):
            self._node(
                "GlobalAveragePool" if layer.kind == "avg" else "GlobalMaxPool", [self.value.name], (channels, 1, 1)
            )
            return
        shape = self._slid(channels, layer.kernel, layer.stride, layer.padding)
        pads = [*layer.padding, *layer.padding]
        kind = "AveragePool" if layer.kind == "avg" else "MaxPool"
        self._node(kind, [self.value.name], shape, kernel_shape=layer.kernel, strides=layer.stride, pads=pads)

    def _dense(self, layer: Dense) -> None:
        self._node("Flatten", [self.value.name], (layer.weights.shape[0], 0, 0), axis=1)
        self._node("MatMul", [self.value.name, self._weight(layer.weights)], (layer.weights.shape[1], 0, 0))

    def _add(self) -> None:
        if not self.marks:
            raise PackageError("a dlib sum has nothing to add; the model file is not known")
        branch, trunk = self.marks.pop(), self.value
        shape = (
            max(branch.shape[0], trunk.shape[0]),
            max(branch.shape[1], trunk.shape[1]),
            max(branch.shape[2], trunk.shape[2]),
        )
        names = [self._padded(branch, shape), self._padded(trunk, shape)]
        self._node("Add", names, shape)

    def _padded(self, value: _Value, shape: Shape) -> str:
        if value.shape == shape:
            return value.name
        more = [want - have for want, have in zip(shape, value.shape, strict=True)]
        pads = self._weight(np.array([0, 0, 0, 0, 0, *more], np.int64))
        self._node("Pad", [value.name, pads], shape)
        return self.value.name

    def _slid(self, channels: int, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int]) -> Shape:
        sides = [
            1 + (side + 2 * pad[axis] - kernel[axis]) // stride[axis] if side else 0
            for axis, side in enumerate(self.value.shape[1:])
        ]
        return channels, sides[0], sides[1]

    def _weight(self, values: Floats | np.ndarray[Any, np.dtype[np.int64]]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _node(self, kind: str, inputs: list[str], shape: Shape, **attributes: Any) -> None:
        self.value = _Value(f"v{len(self.nodes)}", shape)
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [self.value.name], **attributes))


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra('onnx is not installed; install the extra: pip install "faceedge[cpu]"') from error
    return onnx
