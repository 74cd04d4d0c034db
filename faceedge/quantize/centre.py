"""Moves lopsided activations to the middle of int8's range, which must be symmetric about 0.

In: a network. What GELU and its kin give reaches from a little below 0 far up: half of the range lies empty. A
constant is taken off before such a node and given back in its bias, which is the same up to float rounding. Only where
the activation comes out of elementwise arithmetic, into which the subtraction fuses, and where no padding with zeros
follows; behind a convolution it would cost more than it gives.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from faceedge.quantize.biases import add_to_bias, has_bias
from faceedge.quantize.network import Network, Weighted, attribute

ELEMENTWISE = ("Mul", "Div", "Gelu", "HardSwish", "Mish", "Elu", "Softplus", "Sigmoid")
STEPS = 254
"""Of int8 between its ends, -127 and 127."""


def can_centre(network: Network, node: Weighted) -> bool:
    """Whether a constant may be taken off before this node."""
    maker = network.maker(node.data)
    if maker is None or maker.op_type not in ELEMENTWISE or not has_bias(network, node):
        return False
    target = network.node(node.name)
    if node.kind == "Conv":
        return not any(attribute(target, "pads", [])) and attribute(target, "auto_pad", b"") in (
            b"",
            b"NOTSET",
            b"VALID",
        )
    return node.kind in ("MatMul", "Gemm") and attribute(target, "alpha", 1.0) == 1


def centred(network: Network, reach: Mapping[str, tuple[float, float]]) -> Network:
    """The network with what these nodes take moved by a whole number of steps. reach: its lowest and highest value."""
    own = network.copy()
    for node in network.weighted():
        low, high = reach.get(node.name, (0.0, 0.0))
        step = (high - low) / STEPS
        middle = round((high + low) / 2 / step) * step if step > 0 else 0.0
        if middle:
            _move(own, node, np.float32(middle))
    return own


def _move(network: Network, node: Weighted, middle: np.float32) -> None:
    weights = network.value(node.weight).astype(np.float64)
    others = tuple(axis for axis in range(weights.ndim) if axis != node.axis)
    add_to_bias(network, node, float(middle) * weights.sum(axis=others))
    name, target = f"{node.name}/centred", network.node(node.name)
    network.put(f"{name}/middle", np.array(middle))
    moved = onnx.helper.make_node("Sub", [target.input[0], f"{name}/middle"], [name], name=name)
    target.input[0] = name
    network.nodes.insert(list(network.nodes).index(target), moved)
