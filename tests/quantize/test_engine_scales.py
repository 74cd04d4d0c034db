"""Steps of int8: by range, by percentile, by divergence, and by the error they make."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.quantize.collect import collect
from faceedge.quantize.options import Method
from faceedge.quantize.ranges import Spread
from faceedge.quantize.scales import LEVELS, activation_scale, rounded, weight_scales
from faceedge.quantize.search import SHARES, searched_scales
from faceedge.types import Floats
from tests.quantize import nets

METHODS: tuple[Method, ...] = ("entropy", "minmax", "percentile", "error")


def spread_of(values: Floats) -> Spread:
    spread = Spread(-1)
    spread.add(values)
    return spread


def outliers(count: int = 20_000) -> Floats:
    """Bell-shaped, but for two values a hundred times as large."""
    values = np.random.default_rng(1).normal(size=(count, 4)).astype(np.float32)
    values[0, :2] = 100
    return values


def error(values: Floats, step: float) -> float:
    near = np.clip(np.rint(values / step), -LEVELS, LEVELS) * step
    return float(((near - values) ** 2).mean())


def test_minmax_reaches_the_largest_value() -> None:
    values = outliers()
    assert activation_scale(spread_of(values), "minmax") == pytest.approx(float(np.abs(values).max()) / LEVELS)


@pytest.mark.parametrize("method", ["entropy", "percentile", "error"])
def test_the_others_let_outliers_go(method: Method) -> None:
    spread = spread_of(outliers())
    assert activation_scale(spread, method) < activation_scale(spread, "minmax") * 0.9


def test_error_makes_the_least_square_error() -> None:
    values = np.random.default_rng(2).laplace(size=(20_000, 2)).astype(np.float32)
    steps = {method: activation_scale(spread_of(values), method) for method in METHODS}
    errors = {method: error(values, step) for method, step in steps.items()}
    assert errors["error"] <= min(errors.values()) * 1.02


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.full((4, 4), 1e-30), np.full((4, 4), 3e4), np.eye(4)])
def test_every_step_is_positive_and_finite(method: Method, values: Floats) -> None:
    step = activation_scale(spread_of(values.astype(np.float32)), method)
    assert 0 < step < np.inf


@pytest.mark.parametrize("method", ["minmax", "error"])
@pytest.mark.parametrize("axis", [0, 1])
def test_weights_have_a_step_an_output_channel(method: Method, axis: int) -> None:
    weights = nets.numbers(6, 5, 3, 3) * nets.loud(6 if axis == 0 else 5).reshape(
        (-1, 1, 1, 1) if axis == 0 else (-1, 1, 1)
    )
    steps = weight_scales(weights, axis, method)
    assert steps.shape == (weights.shape[axis],)
    channels = np.moveaxis(weights, axis, 0)
    for channel, near, step in zip(channels, np.moveaxis(rounded(weights, steps, axis), axis, 0), steps, strict=True):
        assert np.abs(channel).max() / LEVELS / 2.01 <= step <= np.abs(channel).max() / LEVELS * 1.0001
        assert np.sqrt(((near - channel) ** 2).mean()) < step


def test_error_rounds_weights_no_worse_than_minmax() -> None:
    weights = np.random.default_rng(3).laplace(size=(8, 64)).astype(np.float32)
    errors = [
        ((rounded(weights, weight_scales(weights, 0, method), 0) - weights) ** 2).sum()
        for method in ("error", "minmax")
    ]
    assert errors[0] <= errors[1]


def test_dead_channels_get_a_step_too() -> None:
    weights = nets.numbers(4, 8)
    weights[2] = 0
    steps = weight_scales(weights, 0, "error")
    assert (steps > 0).all()
    np.testing.assert_array_equal(rounded(weights, steps, 0)[2], 0)


def test_the_search_tries_steps_at_the_nodes_themselves() -> None:
    network = nets.chain("PRelu")
    ranges = collect(network, nets.batches())
    weights = {node.name: weight_scales(network.value(node.weight), node.axis, "error") for node in network.weighted()}
    found = searched_scales(network, ranges, weights, nets.batches()())
    assert found == searched_scales(network, ranges, weights, nets.batches()())
    assert set(found) == {"x", "a1", "a2"}
    for name, step in found.items():
        most = float(ranges[name].peak.max()) / LEVELS
        assert most * SHARES[-1] * 0.999 <= step <= most * 1.001


def test_a_bright_spot_on_a_dark_ground_is_not_cut_off() -> None:
    """Most of the picture is served best by a small step; the spot is what the node is there for."""
    nodes = [nets.point("x", "y", "w")]
    network = nets.network(nodes, {"w": nets.numbers(4, 3, 1, 1)})
    pictures = 0.02 * nets.images(8)
    pictures[:, :, 3, 4] = 5.0
    ranges = collect(network, lambda: iter([pictures]))
    weights = {"y": weight_scales(network.value("w"), 0, "minmax")}
    step = searched_scales(network, ranges, weights, [pictures])["x"]
    assert step * LEVELS > 4.5
