"""Where a node's bias is, and how something is added to it: in the node, or in the addition that follows it."""

from __future__ import annotations

import onnx

from faceedge.quantize.network import Network, Weighted, attribute
from faceedge.quantize.ranges import Doubles


def has_bias(network: Network, node: Weighted) -> bool:
    """Whether something can be added to each output channel of a node without a further node."""
    return (node.kind != "MatMul" and _beta(network, node) == 1) or _addition(network, node) is not None


def add_to_bias(network: Network, node: Weighted, amounts: Doubles) -> None:
    """Adds one number to each output channel of a node that `has_bias`; changes the network."""
    addition = _addition(network, node) if node.kind == "MatMul" else None
    target, index = addition if addition is not None else (network.node(node.name), 2)
    if len(target.input) > index and target.input[index]:
        name = network.own(target, index)
        network.put(name, (network.value(name) + amounts).astype("float32"))
        return
    name = f"{node.name}/bias"
    network.put(name, amounts.astype("float32"))
    del target.input[index:]
    target.input.append(name)


def _beta(network: Network, node: Weighted) -> float:
    return float(attribute(network.node(node.name), "beta", 1.0))


def _addition(network: Network, node: Weighted) -> tuple[onnx.NodeProto, int] | None:
    """The addition of a constant that alone takes what a MatMul gives, and which of its inputs the constant is."""
    readers = network.readers(node.output)
    if node.kind != "MatMul" or len(readers) != 1 or readers[0].op_type != "Add" or node.output in network.outputs:
        return None
    index = 1 - list(readers[0].input).index(node.output)
    name = readers[0].input[index]
    is_flat = network.is_constant(name) and network.value(name).ndim == 1
    return (readers[0], index) if is_flat else None
