"""An ONNX graph made ready for quantisation: batch-norms folded, every node named, each constant found by name.

In: a float graph of a package. Out: `Network`, which the other modules of this folder read and rewrite in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from faceedge.errors import PackageError
from faceedge.types import Floats

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
MIN_OPSET = 13
"""Scales per channel exist from this opset on."""


@dataclass(frozen=True, slots=True)
class Weighted:
    """A node that multiplies an activation with constant weights. axis: of the weights' output channels.

    name: of the node. data, weight, output: names of tensors. bias: of the constant added, empty when there is none.
    """

    name: str
    kind: str
    data: str
    weight: str
    bias: str
    output: str
    axis: int
    groups: int


class Network:
    """A float ONNX model in memory. Constants are read by `value` and replaced by `put`."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        _name_nodes(model)

    @property
    def nodes(self) -> Any:
        """The nodes in the order in which they run."""
        return self.model.graph.node

    @property
    def inputs(self) -> list[str]:
        return [value.name for value in self.model.graph.input if value.name not in self._constants]

    @property
    def outputs(self) -> list[str]:
        return [value.name for value in self.model.graph.output]

    def is_constant(self, name: str) -> bool:
        return name in self._constants

    def value(self, name: str) -> NDArray[Any]:
        """A constant by name."""
        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def put(self, name: str, value: NDArray[Any]) -> None:
        """Makes or replaces a constant."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(value), name)
        if name in self._constants:
            self._constants[name].CopyFrom(tensor)
        else:
            self.model.graph.initializer.append(tensor)
            self._constants[name] = self.model.graph.initializer[-1]

    def own(self, node: onnx.NodeProto, index: int) -> str:
        """The constant at a node's input, copied first when other nodes read it too; returns its name."""
        name = str(node.input[index])
        if len(self.readers(name)) > 1:
            copy = f"{name}/{node.name}"
            self.put(copy, self.value(name))
            node.input[index] = copy
            name = copy
        return name

    def readers(self, tensor: str) -> list[onnx.NodeProto]:
        """The nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.input]

    def maker(self, tensor: str) -> onnx.NodeProto | None:
        """The node that makes a tensor; None for inputs and constants."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def node(self, name: str) -> onnx.NodeProto:
        return next(node for node in self.nodes if node.name == name)

    def weighted(self) -> Iterator[Weighted]:
        """All nodes with constant weights, in the order in which they run."""
        for node in self.nodes:
            if node.op_type in WEIGHTED and len(node.input) > 1 and self.is_constant(node.input[1]):
                yield self._weighted(node)

    def _weighted(self, node: onnx.NodeProto) -> Weighted:
        bias = node.input[2] if len(node.input) > 2 else ""
        return Weighted(
            node.name, node.op_type, node.input[0], node.input[1], bias, node.output[0],
            output_axis(node, self.value(node.input[1]).ndim), int(attribute(node, "group", 1)),
        )  # fmt: skip

    def copy(self) -> Network:
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        return Network(model)


def read_network(path: Path) -> Network:
    """Reads a graph, folds batch-norms and constants, and infers shapes. Raises PackageError when it cannot be used."""
    try:
        model = onnx.shape_inference.infer_shapes(_folded(path))
    except Exception as error:  # both libraries raise their own untyped exceptions
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PackageError(f"{path}: cannot be prepared for quantisation ({reason[:200]}); verify it") from error
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < MIN_OPSET:
        raise PackageError(f"{path}: opset {opset} has no scales per channel; export it with opset {MIN_OPSET} or more")
    return Network(model)


def _folded(path: Path) -> onnx.ModelProto:
    """What ONNX Runtime makes of a graph by its basic optimisations, which stay within ONNX's own operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory(prefix="faceedge-") as scratch:
        options.optimized_model_filepath = str(Path(scratch) / "folded.onnx")
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def attribute(node: onnx.NodeProto, name: str, otherwise: Any) -> Any:
    """An attribute of a node, or what it is when left out."""
    return next((onnx.helper.get_attribute_value(one) for one in node.attribute if one.name == name), otherwise)


def output_axis(node: onnx.NodeProto, rank: int) -> int:
    """Axis of the output channels in the weights of a node."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if attribute(node, "transB", 0) else 1
    return rank - 1 if node.op_type == "MatMul" else 1


def per_channel(values: NDArray[Any], rank: int, axis: int) -> NDArray[Any]:
    """A vector shaped so that it spreads along one axis of an array of `rank`."""
    shape = [1] * rank
    shape[axis] = -1
    return values.reshape(shape)


def channel_max(weights: Floats, axis: int) -> Floats:
    """Largest magnitude of each output channel."""
    others = tuple(index for index in range(weights.ndim) if index != axis)
    return np.asarray(np.abs(weights).max(axis=others))


def _name_nodes(model: onnx.ModelProto) -> None:
    taken = {node.name for node in model.graph.node if node.name}
    seen: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in seen:
            stem = f"{node.op_type}_{node.output[0]}"
            node.name = next(name for name in _variants(stem) if name not in taken | seen)
        seen.add(node.name)


def _variants(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}_{number}"
        number += 1
