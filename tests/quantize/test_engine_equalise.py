"""Evened channels: the same function, less noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from faceedge.quantize.centre import centred
from faceedge.quantize.collect import collect
from faceedge.quantize.equalise import equalised
from faceedge.quantize.network import Network
from faceedge.quantize.scales import activation_scale, weight_scales
from faceedge.quantize.write import Scales, write_qdq
from tests.quantize import nets

EVERY: list[Callable[[], Network]] = [
    lambda: nets.chain("Relu"),
    lambda: nets.chain("PRelu"),
    lambda: nets.chain("Clip"),
    nets.residual,
    nets.transformer,
]
NAMES = ["relu", "prelu", "clip", "residual", "transformer"]


def plain_int8(network: Network) -> float:
    """Least cosine between the network and its int8 form by plain min-max, on images of its own."""
    ranges = collect(network, nets.batches())
    nodes = list(network.weighted())
    scales = Scales(
        {node.data: activation_scale(ranges[node.data], "minmax") for node in nodes},
        {node.name: weight_scales(network.value(node.weight), node.axis, "minmax") for node in nodes},
    )
    rows = nets.images(24, seed=9)
    rounded = write_qdq(network, scales, [node.name for node in nodes])
    return nets.cosine(nets.outputs(network.model, rows), nets.outputs(rounded, rows))


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("made", EVERY, ids=NAMES)
def test_an_evened_network_answers_the_same(made: Callable[[], Network], centre: bool) -> None:
    network = made()
    evened = equalised(network, collect(network, nets.batches()), centre=centre)
    other = centred(evened.network, evened.reach)
    rows = nets.images(16, seed=4)
    wanted = nets.outputs(network.model, rows)
    assert np.abs(nets.outputs(other.model, rows) - wanted).max() <= 1e-4 * max(1.0, float(np.abs(wanted).max()))


@pytest.mark.parametrize("made", EVERY, ids=NAMES)
def test_int8_loses_less_in_an_evened_network(made: Callable[[], Network]) -> None:
    network = made()
    evened = equalised(network, collect(network, nets.batches()))
    assert evened.gains_db
    before, after = plain_int8(network), plain_int8(evened.network)
    assert 1 - after < (1 - before) / 2


def test_factors_end_in_constants_where_channels_are_free() -> None:
    network = nets.chain("PRelu")
    evened = equalised(network, collect(network, nets.batches())).network
    assert [node.name for node in evened.nodes] == [node.name for node in network.nodes]


def test_a_clip_stops_factors_so_a_multiplication_is_put_in() -> None:
    network = nets.chain("Clip")
    evened = equalised(network, collect(network, nets.batches())).network
    assert {node.name for node in evened.nodes} - {node.name for node in network.nodes} == {"depth/evened"}


def test_the_network_that_was_given_stays_as_it_was() -> None:
    network = nets.residual()
    before = network.model.SerializeToString(deterministic=True)
    equalised(network, collect(network, nets.batches()), centre=True)
    assert network.model.SerializeToString(deterministic=True) == before


def test_only_what_comes_out_of_arithmetic_is_centred() -> None:
    """GELU's tensor moves; what a convolution pads with zeros, or a rectifier gives, does not."""
    network = nets.transformer()
    evened = equalised(network, collect(network, nets.batches()), centre=True)
    assert set(evened.reach) == {"narrow"}
    moved = centred(evened.network, evened.reach)
    low, high = evened.reach["narrow"]
    spread = collect(moved, nets.batches())["narrow/centred"]
    assert (high - low) / 2 * 0.99 <= spread.peak.max() <= (high - low) / 2 * 1.01


def test_constants_that_other_nodes_share_are_copied_first() -> None:
    constants = nets.uneven() | {"w4": nets.numbers(nets.WIDTH, 3, 3, 3, seed=30)}
    nodes = [
        nets.conv("x", "stem", "w1", bias="b1"),
        nets.conv("x", "aside", "w1", bias="b1"),
        nets.node("Relu", ["stem"], "a1"),
        nets.conv("a1", "depth", "w2", bias="b2", group=nets.WIDTH),
        nets.node("Add", ["depth", "aside"], "y"),
    ]
    network = nets.network(nodes, constants)
    evened = equalised(network, collect(network, nets.batches())).network
    rows = nets.images(4)
    np.testing.assert_allclose(
        nets.outputs(evened.model, rows), nets.outputs(network.model, rows), rtol=1e-4, atol=1e-3
    )
    assert evened.node("aside").input[1] == "w1"
    assert evened.node("stem").input[1] != "w1"
