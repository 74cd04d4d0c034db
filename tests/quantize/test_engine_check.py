"""The check of Q/DQ graphs: a good one has no fault, and each rule broken by itself is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from faceedge.quantize.check import faults
from faceedge.quantize.collect import collect
from faceedge.quantize.scales import activation_scale, weight_scales
from faceedge.quantize.write import Scales, write_qdq
from tests.quantize import nets

Spoil = Callable[[onnx.ModelProto], None]


def good(made: Any = None) -> onnx.ModelProto:
    """`stem`, `depth` and `y` in int8."""
    network = made or nets.chain("PRelu")
    ranges = collect(network, nets.batches(8))
    nodes = list(network.weighted())
    scales = Scales(
        {node.data: activation_scale(ranges[node.data], "minmax") for node in nodes},
        {node.name: weight_scales(network.value(node.weight), node.axis, "minmax") for node in nodes},
    )
    return write_qdq(network, scales, [node.name for node in nodes])


def constant(model: onnx.ModelProto, name: str) -> NDArray[Any]:
    return numpy_helper.to_array(next(one for one in model.graph.initializer if one.name == name))


def put(model: onnx.ModelProto, name: str, value: NDArray[Any]) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(value, name))
            return
    model.graph.initializer.append(numpy_helper.from_array(value, name))


def named(model: onnx.ModelProto, name: str) -> Any:
    return next(node for node in model.graph.node if node.name == name)


def quantiser(model: onnx.ModelProto, node: str, index: int) -> Any:
    """The QuantizeLinear of a node's activation (0) or weights (1)."""
    return next(one for one in model.graph.node if one.output[0] == dequantiser(model, node, index).input[0])


def dequantiser(model: onnx.ModelProto, node: str, index: int) -> Any:
    return next(one for one in model.graph.node if one.output[0] == named(model, node).input[index])


def scaled(index: int, factor: float | NDArray[Any], node: str = "depth") -> Spoil:
    def spoil(model: onnx.ModelProto) -> None:
        name = quantiser(model, node, index).input[1]
        put(model, name, np.asarray(constant(model, name) * factor, np.float32))

    return spoil


def no_zero(model: onnx.ModelProto) -> None:
    put(model, quantiser(model, "depth", 0).input[2], np.array(3, np.int8))


def unsigned(model: onnx.ModelProto) -> None:
    put(model, quantiser(model, "depth", 0).input[2], np.array(0, np.uint8))
    value = next((one for one in model.graph.value_info if one.name == quantiser(model, "depth", 0).output[0]), None)
    if value is not None:
        model.graph.value_info.remove(value)


def zero_left_out(model: onnx.ModelProto) -> None:
    for node in (quantiser(model, "depth", 0), dequantiser(model, "depth", 0)):
        del node.input[2]


def computed_scale(model: onnx.ModelProto) -> None:
    name = quantiser(model, "depth", 0).input[1]
    for node in model.graph.node:
        node.input[:] = ["computed" if one == name else one for one in node.input]
    model.graph.node.insert(0, helper.make_node("Abs", [name], ["computed"], name="computing"))


def pair_disagrees(model: onnx.ModelProto) -> None:
    node = dequantiser(model, "depth", 0)
    put(model, "other", constant(model, node.input[1]) * np.float32(2))
    node.input[1] = "other"


def activation_by_channel(model: onnx.ModelProto) -> None:
    node = quantiser(model, "depth", 0)
    put(model, node.input[1], np.full(nets.WIDTH, constant(model, node.input[1])))
    put(model, node.input[2], np.zeros(nets.WIDTH, np.int8))


def weights_by_tensor(model: onnx.ModelProto) -> None:
    node = quantiser(model, "depth", 1)
    put(model, node.input[1], constant(model, node.input[1]).max())
    put(model, node.input[2], np.array(0, np.int8))


def wrong_axis(model: onnx.ModelProto) -> None:
    for node in (quantiser(model, "y", 1), dequantiser(model, "y", 1)):
        next(one for one in node.attribute if one.name == "axis").i = 1


def bias_rounded(model: onnx.ModelProto) -> None:
    put(model, "s", np.full(nets.WIDTH, 0.01, np.float32))
    put(model, "z", np.zeros(nets.WIDTH, np.int8))
    pair = [
        helper.make_node("QuantizeLinear", ["b3", "s", "z"], ["b3 q"], name="bias q", axis=0),
        helper.make_node("DequantizeLinear", ["b3 q", "s", "z"], ["b3 dq"], name="bias dq", axis=0),
    ]
    named(model, "y").input[2] = "b3 dq"
    for node in reversed(pair):
        model.graph.node.insert(0, node)


def activation_in_float(model: onnx.ModelProto) -> None:
    named(model, "depth").input[0] = quantiser(model, "depth", 0).input[0]


def weights_in_float(model: onnx.ModelProto) -> None:
    named(model, "depth").input[1] = quantiser(model, "depth", 1).input[0]


def rectifier_rounded(model: onnx.ModelProto) -> None:
    """The residual trap: a neighbour without weights takes the rounded tensor."""
    named(model, "a2").input[0] = named(model, "depth").input[0]


def output_rounded(model: onnx.ModelProto) -> None:
    name, scale, zero = "y", quantiser(model, "y", 0).input[1], quantiser(model, "y", 0).input[2]
    named(model, "y").output[0] = "before"
    model.graph.node.append(helper.make_node("QuantizeLinear", ["before", scale, zero], ["y q"], name="end q"))
    model.graph.node.append(helper.make_node("DequantizeLinear", ["y q", scale, zero], [name], name="end dq"))


def foreign(model: onnx.ModelProto) -> None:
    named(model, "a1").domain = "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def fused(model: onnx.ModelProto) -> None:
    node = named(model, "a2")
    scale, zero = quantiser(model, "y", 0).input[1:]
    model.graph.node.remove(node)
    made = helper.make_node("QuantizeLinear", ["depth", scale, zero], ["d8"], name="d8")
    add = helper.make_node("MatMulInteger", ["d8", "d8"], ["d32"], name="product")
    cast = helper.make_node("Cast", ["d32"], ["a2"], name="a2", to=onnx.TensorProto.FLOAT)
    place = list(model.graph.node).index(named(model, "depth")) + 1
    for one in (cast, add, made):
        model.graph.node.insert(place, one)


def unused_opset(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 5))


def not_sorted(model: onnx.ModelProto) -> None:
    node = onnx.NodeProto.FromString(model.graph.node[-1].SerializeToString())
    del model.graph.node[-1]
    model.graph.node.insert(0, node)


def prequantised(model: onnx.ModelProto) -> None:
    """int8 weights with a DequantizeLinear only, which older parsers refuse."""
    node = quantiser(model, "depth", 1)
    put(model, "ready", np.ones(constant(model, node.input[0]).shape, np.int8))
    dequantiser(model, "depth", 1).input[0] = "ready"
    model.graph.node.remove(node)


def swapped(model: onnx.ModelProto) -> None:
    name = quantiser(model, "depth", 1).input[1]
    put(model, name, constant(model, name)[::-1].copy())


def weights_broken(model: onnx.ModelProto) -> None:
    name = quantiser(model, "depth", 1).input[0]
    put(model, name, np.full_like(constant(model, name), np.nan))


def nothing_rounded(model: onnx.ModelProto) -> None:
    for name in ("stem", "depth", "y"):
        named(model, name).input[:2] = [quantiser(model, name, index).input[0] for index in (0, 1)]
    for node in [one for one in model.graph.node if one.op_type in ("QuantizeLinear", "DequantizeLinear")]:
        model.graph.node.remove(node)


RULES: list[tuple[Spoil, str]] = [
    (scaled(0, 0.0), "its scale is not a positive"),
    (scaled(0, -1.0), "its scale is not a positive"),
    (scaled(0, np.inf), "its scale is not a positive"),
    (scaled(1, np.nan), "its scale is not a positive"),
    (no_zero, "symmetric"),
    (unsigned, "not to int8"),
    (zero_left_out, "zero point must be a constant"),
    (computed_scale, "its scale is no constant"),
    (pair_disagrees, "is not that of"),
    (activation_by_channel, "an activation has one scale"),
    (weights_by_tensor, "8 output channels, but scales of shape"),
    (wrong_axis, "on axis 1, its output channels on 0"),
    (bias_rounded, "the bias of y is rounded"),
    (activation_in_float, "depth: its activation must be rounded, too"),
    (weights_in_float, "depth: its weights must be rounded, too"),
    (rectifier_rounded, "a2 takes rounded values but has no weights"),
    (output_rounded, "an output of the graph is rounded"),
    (foreign, "belongs to another runtime"),
    (fused, "MatMulInteger belongs to another runtime"),
    (unused_opset, "imports the operators of ai.onnx.ml"),
    (not_sorted, "no valid ONNX"),
    (prequantised, "must take what a QuantizeLinear gives"),
    (swapped, "do not fit their weights"),
    (scaled(1, 4.0), "do not fit their weights"),
    (scaled(1, 0.3), "do not fit their weights"),
    (weights_broken, "not all finite"),
    (nothing_rounded, "quantises nothing"),
]


@pytest.mark.parametrize("made", [lambda: nets.chain("PRelu"), nets.residual, nets.transformer])
def test_what_the_writer_writes_has_no_fault(made: Any) -> None:
    assert faults(good(made())) == []


@pytest.mark.parametrize(("spoil", "words"), RULES)
def test_a_broken_rule_is_named(spoil: Spoil, words: str) -> None:
    model = good()
    spoil(model)
    found = faults(model)
    assert any(words in fault for fault in found), found
    assert all("\n" not in fault for fault in found)


def test_old_opsets_have_no_scales_a_channel() -> None:
    model = good()
    model.opset_import[0].version = 12
    assert any("12" in fault or "valid" in fault for fault in faults(model))


def test_a_float_graph_alone_is_no_int8_graph() -> None:
    assert faults(nets.chain().model) == ["the graph quantises nothing"]
