"""PReLU in a form that ONNX Runtime's CPU kernels run fast: a graph in, the rewritten one out, or none. Pure.

Its own PReLU breaks the blocked layout that convolutions keep between them. With slope a, PReLU(x) is
a*x + (1-a)*relu(x), and so x + (1-a)*relu(-x): a 1x1 depthwise convolution by -1 that the ReLU is fused with, and one
by 1-a that the sum is fused with. One slope for all channels is LeakyRelu, which is fused with what is before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from faceedge.types import Floats

PREFIX = "faceedge_prelu_"
MAX_SLOPES = 1 << 16


def rewritten(model: Any) -> tuple[Any, tuple[str, ...]] | None:
    """A copy without PReLU as far as it can be, and what was done in words; None when there is nothing to rewrite."""
    fast = onnx.ModelProto()
    fast.CopyFrom(model)
    slopes = _slopes(fast.graph)
    shapes = _shapes(model)
    nodes: list[Any] = []
    wide = narrow = 0
    for node in fast.graph.node:
        slope = slopes.get(node.output[0]) if node.output else None
        if slope is None:
            nodes.append(node)
        elif (slope == slope.flat[0]).all() and slope.size:
            narrow += 1
            nodes.append(helper.make_node("LeakyRelu", [node.input[0]], node.output, alpha=float(slope.flat[0])))
        elif _is_by_channel(slope, shapes.get(node.input[0], ())):
            wide += 1
            nodes += _depthwise(fast.graph, node, slope.reshape(-1, 1, 1, 1), f"{PREFIX}{wide}")
        else:
            nodes.append(node)
    if not wide + narrow:
        return None
    del fast.graph.node[:]
    fast.graph.node.extend(nodes)
    _drop_unused(fast.graph)
    words = [f"{wide} PReLU as 1x1 depthwise convolutions"] if wide else []
    words += [f"{narrow} PReLU of one slope as LeakyRelu"] if narrow else []
    return fast, tuple(words)


def _depthwise(graph: Any, node: Any, slope: Floats, name: str) -> list[Any]:
    """x + (1-a) * relu(-x)."""
    x, y = node.input[0], node.output[0]
    for ending, weights in (("minus", -np.ones_like(slope)), ("rest", 1 - slope)):
        graph.initializer.append(numpy_helper.from_array(weights.astype(np.float32), f"{name}_{ending}"))
    one_by_one = {"group": len(slope), "kernel_shape": [1, 1]}
    return [
        helper.make_node("Conv", [x, f"{name}_minus"], [f"{name}_turned"], **one_by_one),
        helper.make_node("Relu", [f"{name}_turned"], [f"{name}_below"]),
        helper.make_node("Conv", [f"{name}_below", f"{name}_rest"], [f"{name}_added"], **one_by_one),
        helper.make_node("Add", [f"{name}_added", x], [y]),
    ]


def _is_by_channel(slope: Floats, shape: tuple[int, ...]) -> bool:
    """One slope a channel of a tensor of four dimensions."""
    by_channel = slope.shape[-3:] == (slope.size, 1, 1)
    return by_channel and len(shape) == 4 and shape[1] == slope.size


def _slopes(graph: Any) -> dict[str, Floats]:
    """float32 slopes of every PReLU whose slopes are constant, by the name of its output."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    made = {node.output[0]: node for node in graph.node if node.op_type in ("Constant", "ConstantOfShape")}
    slopes = {}
    for node in graph.node:
        if node.op_type == "PRelu":
            values = _values(node.input[1], found, made)
            if values is not None and values.dtype == np.float32 and 0 < values.size <= MAX_SLOPES:
                slopes[node.output[0]] = values
    return slopes


def _values(name: str, found: dict[str, Any], made: dict[str, Any]) -> Any:
    """The numbers of a constant, be it stored or made by an operator; None when it is neither, or long."""
    if name in found:
        return numpy_helper.to_array(found[name])
    node = made.get(name)
    if node is None:
        return None
    tensor = next((attribute.t for attribute in node.attribute if attribute.name == "value"), None)
    if node.op_type == "Constant":
        return None if tensor is None else numpy_helper.to_array(tensor)
    shape = found.get(node.input[0])
    sizes = [int(size) for size in numpy_helper.to_array(shape)] if shape is not None else [-1]
    if any(not 0 < size <= MAX_SLOPES for size in sizes) or np.prod(sizes, dtype=float) > MAX_SLOPES:
        return None
    value = np.zeros(1, np.float32) if tensor is None else numpy_helper.to_array(tensor)
    return np.full(sizes, value.flat[0], value.dtype)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of all tensors as far as they follow from the graph; 0 is free."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    values: Iterable[Any] = (*graph.input, *graph.value_info, *graph.output)
    return {value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim) for value in values}


def _drop_unused(graph: Any) -> None:
    """Constants, and operators that make constants, which nothing reads any more."""
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    nodes = [node for node in graph.node if "Constant" not in node.op_type or read.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
