"""Paired activations in one pass: a float network in which every quantised node has an int8 twin that takes the same.

In: a float network and its Q/DQ form. Out: one model that computes both, so that a node's own rounding errors can be
told from those that it inherits.
"""

from __future__ import annotations

from collections.abc import Collection

import onnx

from faceedge.quantize.network import Network

PREFIX = "int8/"
"""What a twin gives is called like what its node gives, with this before it."""
_PAIR = ("QuantizeLinear", "DequantizeLinear")


def twin_model(network: Network, rounded: onnx.ModelProto, quantised: Collection[str]) -> onnx.ModelProto:
    """The float network, and beside it the nodes named in `quantised` as `rounded`, its Q/DQ form, has them."""
    model = network.copy().model
    taken = {tensor.name for tensor in model.graph.initializer}
    changed = {tensor.name for tensor in rounded.graph.initializer if _differs(network, tensor)}
    for tensor in rounded.graph.initializer:
        if tensor.name not in taken or tensor.name in changed:
            model.graph.initializer.append(tensor)
            model.graph.initializer[-1].name = _own_name(tensor.name, changed)
    for node in rounded.graph.node:
        if node.op_type in _PAIR or node.name in quantised:
            twin = model.graph.node.add()
            twin.CopyFrom(node)
            twin.input[:] = [_own_name(name, changed) for name in node.input]
            if node.name in quantised:
                twin.name, twin.output[0] = PREFIX + node.name, PREFIX + node.output[0]
    return model


def _differs(network: Network, tensor: onnx.TensorProto) -> bool:
    if not network.is_constant(tensor.name):
        return False
    return bool((network.value(tensor.name) != onnx.numpy_helper.to_array(tensor)).any())


def _own_name(name: str, changed: Collection[str]) -> str:
    return PREFIX + name if name in changed else name
