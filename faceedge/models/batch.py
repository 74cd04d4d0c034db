"""Lets a graph with a fixed batch take any number of pictures, and shows whether it then answers each as if alone.

Which constants mean the batch cannot be told for sure, so there are several candidates; what counts is what
they answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from faceedge.models.running import Network, Outputs
from faceedge.models.selftest import deviation
from faceedge.types import Floats

SAME = 1e-4
"""Share of the largest number of an output by which two answers may differ and still be the same."""
BATCH = "batch"
_SIZES = 3
"""Place of `sizes` among the inputs of Resize."""


def freed(model: Any, batch: int) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Copies of `model` whose batch is free, the likeliest first, each with what was done in words.

    batch: the fixed number of pictures that `model` takes.
    """
    for mode in ("same", "rest"):
        candidate = onnx.ModelProto()
        candidate.CopyFrom(model)
        changed = _free_ends(candidate.graph, batch)
        shapes = _free_shapes(candidate.graph, batch, mode)
        words = [f"batch of {batch} made free"] if changed else []
        words += [f"{shapes} fixed shapes made to follow it"] if shapes else []
        yield candidate, tuple(words)
        if not shapes:
            return


def holds(network: Network, pictures: Sequence[Floats], alone: Sequence[Outputs], count: int) -> bool:
    """Whether a batch of `count` answers every picture as it was answered alone."""
    order = [number % len(pictures) for number in range(count)]
    together = network.run(np.concatenate([pictures[number] for number in order]))
    for name, values in together.items():
        if values.ndim == 0 or len(values) != count:
            return False
        for place, number in enumerate(order):
            if deviation(alone[number][name], values[place : place + 1]) > SAME:
                return False
    return True


def _free_ends(graph: Any, batch: int) -> bool:
    changed = False
    for value in (*graph.input, *graph.output):
        sizes = value.type.tensor_type.shape.dim
        if len(sizes) and sizes[0].dim_value == batch:
            sizes[0].dim_param = BATCH
            changed = True
    return changed


def _free_shapes(graph: Any, batch: int, mode: str) -> int:
    """Rewrites constants that Reshape and Resize take for a shape and that begin with the batch. Returns how many.

    mode: `same` copies the size of what comes in (0), `rest` leaves it to what is left over (-1).
    """
    constants = _constants(graph)
    live = {value.name for value in graph.input}
    nodes, count = [], 0
    for node in graph.node:
        if live.intersection(node.input):
            live.update(node.output)
        place = {"Reshape": 1, "Resize": _SIZES}.get(node.op_type, len(node.input))
        shape = constants.get(node.input[place]) if place < len(node.input) else None
        if shape is not None and len(shape) > 1 and shape[0] == batch and node.input[0] in live:
            count += 1
            if node.op_type == "Reshape":
                _reshape(graph, node, shape, count, mode)
            else:
                nodes += _resize(graph, node, shape, count)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def _reshape(graph: Any, node: Any, shape: Any, number: int, mode: str) -> None:
    fresh = shape.copy()
    fresh[0] = -1 if mode == "rest" and -1 not in shape[1:] else 0
    node.input[1] = _constant(graph, f"faceedge_shape_{number}", fresh)


def _resize(graph: Any, node: Any, shape: Any, number: int) -> list[Any]:
    """The batch of what comes in, then the fixed rest."""
    name = f"faceedge_sizes_{number}"
    rest = _constant(graph, f"{name}_rest", shape[1:])
    first = _constant(graph, f"{name}_first", np.zeros(1, np.int64))
    node_input = node.input[0]
    node.input[_SIZES] = name
    return [
        helper.make_node("Shape", [node_input], [f"{name}_all"]),
        helper.make_node("Gather", [f"{name}_all", first], [f"{name}_batch"], axis=0),
        helper.make_node("Concat", [f"{name}_batch", rest], [name], axis=0),
    ]


def _constant(graph: Any, name: str, values: Any) -> str:
    graph.initializer.append(numpy_helper.from_array(values.astype(np.int64), name))
    return name


def _constants(graph: Any) -> dict[str, Any]:
    """Small integer constants by name."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            found[node.output[0]] = node.attribute[0].t
    small = {name: one for name, one in found.items() if one.data_type == onnx.TensorProto.INT64 and len(one.dims) == 1}
    return {name: numpy_helper.to_array(one) for name, one in small.items() if one.dims[0] <= 8}
