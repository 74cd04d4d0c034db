"""The parts of the engine room: reading, writing, twins and biases, work, rules, harm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from faceedge.errors import BadInput, EngineError, PackageError
from faceedge.quantize.bias import mean_errors
from faceedge.quantize.biases import add_to_bias, has_bias
from faceedge.quantize.check import faults
from faceedge.quantize.collect import collect
from faceedge.quantize.likeness import likeness
from faceedge.quantize.network import Network, read_network
from faceedge.quantize.observe import Observer, observed, spread_rows
from faceedge.quantize.rules import kept_by_rule, operators_in_float
from faceedge.quantize.scales import activation_scale, rounded, weight_scales
from faceedge.quantize.sensitivity import harms
from faceedge.quantize.twin import PREFIX, twin_model
from faceedge.quantize.work import multiply_adds, share
from faceedge.quantize.write import Scales, write_qdq
from tests.fakes import graphs
from tests.quantize import nets

EVERY: list[Callable[[], Network]] = [lambda: nets.chain("PRelu"), nets.residual, nets.transformer]


def scales_of(network: Network) -> Scales:
    ranges, nodes = collect(network, nets.batches()), list(network.weighted())
    return Scales(
        {node.data: activation_scale(ranges[node.data], "minmax") for node in nodes},
        {node.name: weight_scales(network.value(node.weight), node.axis, "minmax") for node in nodes},
    )


def names_of(network: Network) -> list[str]:
    return [node.name for node in network.weighted()]


# Reading


def test_a_graph_is_read_with_its_batch_norms_folded_and_all_nodes_named(tmp_path: Path) -> None:
    made = graphs.recognizer()
    for node in made.graph.node:
        node.name = ""
    network = read_network(graphs.saved(made, tmp_path / "model.onnx"))
    assert "BatchNormalization" not in {node.op_type for node in network.nodes}
    names = [node.name for node in network.nodes]
    assert all(names)
    assert len(set(names)) == len(names)
    assert [node.kind for node in network.weighted()] == ["Conv", "Conv", "Gemm"]


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(500)])
def test_a_file_that_is_no_graph_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=r"model\.onnx: cannot be prepared") as refusal:
        read_network(path)
    assert "\n" not in str(refusal.value)


def test_a_graph_too_old_for_scales_a_channel_is_refused(tmp_path: Path) -> None:
    made = nets.model([nets.conv("x", "y", "w")], {"w": nets.numbers(4, 3, 3, 3)}, opset=11)
    with pytest.raises(PackageError, match="opset 11"):
        read_network(graphs.saved(made, tmp_path / "model.onnx"))


def test_a_network_with_two_inputs_is_refused() -> None:
    made = nets.chain().model
    made.graph.input.append(helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, [1]))
    with pytest.raises(EngineError, match="one input"):
        Observer(made, ["y"])


def test_rows_are_taken_evenly_from_the_whole_set() -> None:
    rows = np.arange(103, dtype=np.float32).reshape(-1, 1)
    taken = np.concatenate(list(spread_rows((rows[at : at + 8] for at in range(0, 103, 8)), 103, 10))).ravel()
    assert len(taken) == 10
    assert set(np.diff(taken)) <= {10, 11}
    assert len(np.concatenate(list(spread_rows([rows], 103, 500)))) == 103


# Writing


@pytest.mark.parametrize("made", EVERY)
def test_the_files_obey_and_the_network_stays_as_it_was(made: Callable[[], Network]) -> None:
    network = made()
    before = network.model.SerializeToString(deterministic=True)
    assert faults(write_qdq(network, scales_of(network), names_of(network))) == []
    assert network.model.SerializeToString(deterministic=True) == before


def test_only_the_nodes_that_were_named_are_rounded() -> None:
    network = nets.residual()
    model = write_qdq(network, scales_of(network), {"depth", "y"})
    assert faults(model) == []
    taken = {node.name: list(node.input) for node in model.graph.node}
    assert taken["stem"][:2] == ["x", "w1"]
    assert taken["branch"][0] == "a1"
    assert taken["depth"][0] != "small"


def test_a_branch_beside_a_rounded_one_keeps_the_exact_tensor() -> None:
    """ONNX Runtime's quantiser would round what the addition takes, too, and errors would add up along the residual."""
    network = nets.residual()
    model = write_qdq(network, scales_of(network), names_of(network))
    taken = {node.name: list(node.input) for node in model.graph.node}
    assert taken["sum"] == ["a1", "branch"]
    assert taken["both"] == ["small", "depth"]


def test_the_scales_are_those_that_were_given() -> None:
    network = nets.chain()
    scales = scales_of(network)
    model = write_qdq(network, scales, names_of(network))
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] in scales.activations:
            np.testing.assert_allclose(held[node.input[1]], scales.activations[node.input[0]], rtol=1e-6)
    depth = next(node for node in model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "w2")
    np.testing.assert_array_equal(held[depth.input[1]], scales.weights["depth"])


def test_weights_of_two_nodes_get_a_pair_each() -> None:
    nodes = [nets.conv("x", "one", "w"), nets.conv("x", "two", "w"), nets.node("Add", ["one", "two"], "y")]
    network = nets.network(nodes, {"w": nets.numbers(4, 3, 3, 3)})
    both = write_qdq(network, scales_of(network), ["one", "two"])
    assert faults(both) == []
    alone = write_qdq(network, scales_of(network), ["two"])
    assert faults(alone) == []
    assert {node.name: node.input[1] for node in alone.graph.node}["one"] == "w"


# Twins and biases


@pytest.mark.parametrize("made", EVERY)
def test_a_twin_takes_what_its_node_takes(made: Callable[[], Network]) -> None:
    network = made()
    scales = scales_of(network)
    model = twin_model(network, write_qdq(network, scales, names_of(network)), names_of(network))
    for node in network.weighted():
        wanted = [node.data, node.output, PREFIX + node.output]
        tensors = next(observed(model, wanted, [nets.images(1)]))
        near = np.clip(np.rint(tensors[node.data] / scales.activations[node.data]), -128, 127)
        alone = write_alone(network, node.name, near * scales.activations[node.data], scales)
        np.testing.assert_allclose(tensors[PREFIX + node.output], alone, rtol=1e-3, atol=1e-3)


def write_alone(network: Network, name: str, taken: np.ndarray, scales: Scales) -> np.ndarray:
    """What a node gives for a rounded activation and rounded weights."""
    node, weighted = network.node(name), next(one for one in network.weighted() if one.name == name)
    constants = {weighted.weight: rounded(network.value(weighted.weight), scales.weights[name], weighted.axis)}
    constants |= {one: network.value(one) for one in node.input[2:]}
    free = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "alone",
        [helper.make_tensor_value_info(weighted.data, free, None)],
        [helper.make_tensor_value_info(weighted.output, free, None)],
        [numpy_helper.from_array(value, one) for one, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    runs = Observer(model, [weighted.output]).run(taken.astype(np.float32))
    return np.concatenate([found[weighted.output] for found in runs])


@pytest.mark.parametrize("made", EVERY)
def test_after_correction_no_channel_errs_on_average(made: Callable[[], Network]) -> None:
    network = made()
    scales, names = scales_of(network), names_of(network)
    errors = mean_errors(network, write_qdq(network, scales, names), names, nets.batches()())
    mended = network.copy()
    for node in network.weighted():
        if node.name in errors and node.kind != "MatMul":  # whose bias lies in the addition behind it
            add_to_bias(mended, node, errors[node.name])
    again = mean_errors(network, write_qdq(mended, scales, names), names, nets.batches()())
    for node in network.weighted():
        if node.name in errors and node.kind != "MatMul":
            assert np.abs(again[node.name]).max() <= 0.02 * np.abs(errors[node.name]).max() + 1e-6


def test_a_node_without_a_bias_gets_one_and_a_product_uses_the_addition_behind_it() -> None:
    network = nets.transformer()
    nodes = {node.name: node for node in network.weighted()}
    assert all(has_bias(network, nodes[name]) for name in ("patches", "wide", "narrow", "y"))
    rows = nets.images(2)
    before = nets.outputs(network.model, rows)
    own = network.copy()
    add_to_bias(own, nodes["y"], np.full(nets.WIDTH, 0.5))
    np.testing.assert_allclose(nets.outputs(own.model, rows), before + 0.5, rtol=1e-5, atol=1e-5)
    add_to_bias(own, nodes["narrow"], np.ones(nets.WIDTH))
    np.testing.assert_allclose(own.value(own.node("mlp").input[1]), network.value("b2") + 1, rtol=1e-6)
    assert not has_bias(nets.residual(), next(node for node in nets.residual().weighted() if node.name == "y"))


# Work, rules, harm


def test_multiply_adds_are_counted_a_node() -> None:
    counts = multiply_adds(nets.chain(), nets.images(2))
    places = nets.SIDE**2
    assert counts == {"stem": places * 8 * 27, "depth": places * 8 * 9, "y": places * 8 * 8}
    assert share(counts, {"depth"}) == pytest.approx(72 / (216 + 72 + 64))
    counts = multiply_adds(nets.transformer(), nets.images(1))
    assert counts["wide"] == 16 * 8 * 32


def test_products_of_two_activations_stay_in_float_and_are_counted() -> None:
    nodes = [
        nets.point("x", "q", "w"),
        nets.node("Transpose", ["q"], "t", perm=[0, 1, 3, 2]),
        nets.node("MatMul", ["q", "t"], "y"),
    ]
    network = nets.network(nodes, {"w": nets.numbers(4, 3, 1, 1)})
    assert "two activations" in kept_by_rule(network, ())["y"]
    assert multiply_adds(network, nets.images(1))["y"] == 4 * nets.SIDE**3


def test_what_was_asked_for_stays_and_what_does_not_exist_is_refused() -> None:
    assert kept_by_rule(nets.chain(), ["depth"]) == {"depth": "asked for"}
    with pytest.raises(BadInput, match="'deep'"):
        kept_by_rule(nets.chain(), ["deep"])


def test_operators_that_are_never_rounded_have_their_reasons() -> None:
    assert set(operators_in_float(nets.transformer())) == {"LayerNormalization", "Erf", "Add", "Sigmoid"}
    assert set(operators_in_float(nets.chain("PRelu"))) == {"PRelu"}


def test_the_node_that_does_the_harm_is_ranked_first() -> None:
    network = nets.chain("PRelu")
    scales, names = scales_of(network), names_of(network)
    counts = multiply_adds(network, nets.images(1))
    shares = {name: share(counts, {name}) for name in counts}
    alone = [(name, write_qdq(network, scales, [name])) for name in names]
    ranked = harms(network.model, alone, shares, nets.batches(8)())
    assert ranked[0].node == "depth", "its activation has the uneven channels"
    assert ranked == sorted(ranked, key=lambda one: -one.worth)
    assert {one.node: one.share for one in ranked} == shares


def test_harms_add_up_to_that_of_the_whole() -> None:
    network = nets.residual()
    scales, names = scales_of(network), names_of(network)
    shares = dict.fromkeys([*names, "all"], 0.1)
    models = [(name, write_qdq(network, scales, [name])) for name in names] + [
        ("all", write_qdq(network, scales, names))
    ]
    found = {one.node: one.harm for one in harms(network.model, models, shares, nets.batches(16)())}
    assert sum(found[name] for name in names) == pytest.approx(found["all"], rel=0.3)


def test_photos_of_several_sizes_are_compared_each_with_itself() -> None:
    nodes = [nets.conv("x", "y", "w")]
    network = nets.network(nodes, {"w": nets.numbers(4, 3, 3, 3)})
    for value in network.model.graph.input:
        for axis in value.type.tensor_type.shape.dim[2:]:
            axis.Clear()
    sizes = [nets.images(2), nets.images(2)[:, :, :8, :12]]
    found = harms(network.model, [("y", write_qdq(network, scales_of(network), ["y"]))], {"y": 1.0}, sizes)
    assert 0 < found[0].harm < 0.01


def test_likeness_is_one_with_itself_and_less_with_int8() -> None:
    network = nets.chain("PRelu")
    model = write_qdq(network, scales_of(network), names_of(network))
    same = likeness(network.model, network.model, nets.batches(20, 8))["y"]
    assert (same.mean, same.p1, same.least, same.images) == (1.0, 1.0, 1.0, 20)
    other = likeness(network.model, model, nets.batches(20, 8))["y"]
    assert other.least <= other.p1 <= other.mean < 1
