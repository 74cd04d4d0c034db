"""The mean of each node's rounding errors, to be taken out of its bias (Nagel et al. 2019, arXiv 1906.04721, 5.2).

In: a float network and its Q/DQ form. Out: one number an output channel. Each node is compared with its int8 twin on
the same float activations, so all nodes are measured in one pass; what reaches a node's output, the errors of its
forerunners included, would be corrected twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import onnx

from faceedge.quantize.biases import has_bias
from faceedge.quantize.collect import channel_axis
from faceedge.quantize.network import Network
from faceedge.quantize.observe import observed
from faceedge.quantize.ranges import Doubles
from faceedge.quantize.twin import PREFIX, twin_model
from faceedge.types import Floats


def mean_errors(
    network: Network, rounded: onnx.ModelProto, quantised: Collection[str], batches: Iterable[Floats]
) -> dict[str, Doubles]:
    """By name of the node: what its bias lacks, on average over the batches, for its int8 twin to give the same."""
    nodes = [node for node in network.weighted() if node.name in quantised and has_bias(network, node)]
    wanted = [name for node in nodes for name in (node.output, PREFIX + node.output)]
    errors: dict[str, Doubles] = {node.name: np.zeros(()) for node in nodes}
    seen = dict.fromkeys(errors, 0)
    for tensors in observed(twin_model(network, rounded, quantised), wanted, batches):
        for node in nodes:
            error = np.moveaxis(tensors[node.output] - tensors[PREFIX + node.output], channel_axis(node.kind), 0)
            rows = error.reshape(len(error), -1)
            errors[node.name] = errors[node.name] + rows.sum(axis=1, dtype=np.float64)
            seen[node.name] += rows.shape[1]
    return {name: error / seen[name] for name, error in errors.items() if seen[name]}
