"""What stays in float whatever a measurement says, and why in words. Pure.

In: a network. Out: reasons by node or by operator. Everything else that multiplies with weights may run in int8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from faceedge.errors import BadInput
from faceedge.quantize.network import WEIGHTED, Network, attribute

OPERATORS = {
    "LayerNormalization": "mean and variance of a row need more than 8 bits",
    "InstanceNormalization": "mean and variance of a row need more than 8 bits",
    "Softmax": "exponentials need more than 8 bits, and cost next to nothing",
    "Sigmoid": "scores near 0 and 1 need more than 8 bits, and cost next to nothing",
    "Erf": "it is one step of GELU, which is computed in one go in float",
    "PRelu": "TensorRT does not fuse it with int8 neighbours: its output is rounded once, where the next node takes it",
    "Add": "a sum of branches keeps both of them exact; it is rounded once, where the next node takes it",
    "ReduceL2": "a norm squares its input's errors",
}
"""Operators without weights are never rounded by themselves; these are the ones that people ask about."""


def kept_by_rule(network: Network, asked: Collection[str]) -> dict[str, str]:
    """Reasons by name of the node. Raises BadInput when a node that was asked for does not exist."""
    reasons = dict(_unfit(network))
    names = {node.name for node in network.nodes if node.op_type in WEIGHTED}
    for name in asked:
        if name not in names:
            raise BadInput(f"no node {name!r} with weights in this network; see the report's ranking for their names")
        reasons.setdefault(name, "asked for")
    return reasons


def operators_in_float(network: Network) -> dict[str, str]:
    """Reasons by operator, of those that the network has."""
    there = {node.op_type for node in network.nodes}
    return {kind: reason for kind, reason in OPERATORS.items() if kind in there}


def _unfit(network: Network) -> Iterator[tuple[str, str]]:
    for node in network.nodes:
        if node.op_type not in WEIGHTED:
            continue
        if len(node.input) < 2 or not network.is_constant(node.input[1]):
            yield node.name, "multiplies two activations (attention): both would be rounded, and one weighs the other"
        elif node.op_type == "MatMul" and network.value(node.input[1]).ndim != 2:
            yield node.name, "its weights are no matrix, so they have no scale a channel"
        elif node.op_type == "Gemm" and attribute(node, "transA", 0):
            yield node.name, "takes its activation transposed"
