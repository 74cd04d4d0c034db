"""How many multiply-adds each node of a network takes for one image: the measure of what is left in float."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faceedge.quantize.network import WEIGHTED, Network
from faceedge.quantize.observe import Observer
from faceedge.types import Floats


def multiply_adds(network: Network, image: Floats) -> dict[str, int]:
    """By node, for the first row of `image` (n, …): all products of an activation with weights or another one."""
    nodes = [node for node in network.nodes if node.op_type in WEIGHTED]
    inside = [name for node in nodes for name in (node.output[0], node.input[0]) if not network.is_constant(name)]
    tensors = next(Observer(network.model, inside).run(image[:1]))
    weighted = {node.name: node for node in network.weighted()}
    counts = {}
    for node in nodes:
        size = int(np.prod(tensors[node.output[0]].shape[1:]))
        known = weighted.get(node.name)
        if known is None:
            depth = tensors[node.input[0]].shape[-1]
        else:
            weights = network.value(known.weight)
            depth = weights.size // weights.shape[known.axis]
            if known.kind == "ConvTranspose":  # every input meets every weight of its channel
                size, depth = int(np.prod(tensors[known.data].shape[1:])), weights.size // weights.shape[0]
        counts[node.name] = size * int(depth)
    return counts


def share(counts: Mapping[str, int], nodes: set[str]) -> float:
    """Of all multiply-adds, those of these nodes."""
    return sum(counts.get(name, 0) for name in nodes) / max(1, sum(counts.values()))
