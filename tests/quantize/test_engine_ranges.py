"""Ranges: what is counted, how large they are, and that an interrupted collection goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import EngineError, StoreError
from faceedge.quantize.collect import collect
from faceedge.quantize.ranges import BINS, Ranges, Spread
from faceedge.types import Floats
from tests.quantize import nets


def random_values(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_spread_knows_extremes_and_powers_a_channel() -> None:
    values = random_values(4, 3, 5, 5)
    spread = Spread(1)
    spread.add(values[:1])
    spread.add(values[1:])
    np.testing.assert_allclose(spread.high, np.maximum(values.max(axis=(0, 2, 3)), 0))
    np.testing.assert_allclose(spread.low, np.minimum(values.min(axis=(0, 2, 3)), 0))
    np.testing.assert_allclose(spread.mean_square, (values**2).mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(spread.total, values.sum(axis=(0, 2, 3)), rtol=1e-4)
    assert spread.seen == 4 * 25


def test_every_value_is_counted_once_however_far_the_range_grows() -> None:
    spread = Spread(-1)
    for factor in (1, 1000, 0.01, 30):
        spread.add(random_values(8, 6) * np.float32(factor))
    assert spread.counts.sum() == 4 * 48
    assert spread.peak.max() <= spread.top


def test_the_histogram_lies_where_the_values_do() -> None:
    spread = Spread(-1)
    spread.add(np.array([[1.0, -1.0], [2.0, 4.0]], np.float32))
    places = np.flatnonzero(spread.counts)
    np.testing.assert_allclose(spread.middles[places], [1, 2, 4], rtol=2e-3)
    assert spread.counts[places].tolist() == [2, 1, 1]


def test_zeros_only_have_a_spread_too() -> None:
    spread = Spread(1)
    spread.add(np.zeros((2, 3, 4), np.float32))
    assert spread.top == 0
    assert spread.counts.sum() == 0
    spread.add(np.ones((2, 3, 4), np.float32))
    assert spread.counts.sum() == 24


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    values = np.ones((1, 2, 3), np.float32)
    values[0, 1, 2] = value
    with pytest.raises(EngineError, match="no finite numbers"):
        Spread(1).add(values)


def held(ranges: Ranges) -> int:
    """Numbers that ranges hold."""
    return sum(
        array.size
        for one in ranges.spreads.values()
        for array in (one.counts, one.low, one.high, one.total, one.squares)
    )


def test_many_batches_take_no_more_room_than_few() -> None:
    network = nets.chain()
    few = collect(network, nets.batches(8, 8))
    many = collect(network, lambda: (batch for _ in range(50) for batch in nets.batches(16, 8)()))
    assert many.images == 800
    assert held(many) == held(few) <= 3 * (BINS + 4 * nets.WIDTH)


def same(one: Ranges, other: Ranges) -> bool:
    return all(
        np.array_equal(getattr(one[name], field), getattr(other[name], field))
        for name in one.spreads
        for field in ("counts", "low", "high", "total", "squares", "top", "seen")
    )


def test_the_same_batches_give_the_same_ranges() -> None:
    assert same(collect(nets.chain(), nets.batches()), collect(nets.chain(), nets.batches()))


class Pulled(Exception):
    """The plug."""


def interrupted(after: int) -> Iterator[Floats]:
    for number, batch in enumerate(nets.batches(40, 4)()):
        if number == after:
            raise Pulled
        yield batch


def test_an_interrupted_collection_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    network, clock = nets.chain("PRelu"), iter(range(0, 10_000, 30))
    with pytest.raises(Pulled):
        collect(network, lambda: interrupted(6), tmp_path, lambda: float(next(clock)))
    asked: list[int] = []

    def noted() -> Iterator[Floats]:
        for number, batch in enumerate(nets.batches(40, 4)()):
            asked.append(number)
            yield batch

    resumed = collect(network, noted, tmp_path)
    assert same(resumed, collect(network, nets.batches(40, 4)))
    assert resumed.images == 40


def test_a_finished_collection_is_not_done_again(tmp_path: Path) -> None:
    network = nets.chain()
    first = collect(network, nets.batches(), tmp_path)

    def none() -> Iterator[Floats]:
        raise Pulled

    assert same(collect(network, none, tmp_path), first)


def test_ranges_of_another_graph_are_left_alone(tmp_path: Path) -> None:
    collect(nets.chain(seed=3), nets.batches(), tmp_path)
    again = collect(nets.chain(seed=4), nets.batches(), tmp_path)
    assert same(again, collect(nets.chain(seed=4), nets.batches()))


@pytest.mark.parametrize("cut", [0, 10, 500, -30])
def test_a_damaged_file_is_the_same_as_none(tmp_path: Path, cut: int) -> None:
    network = nets.chain()
    wanted = collect(network, nets.batches(), tmp_path)
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:cut])
    assert same(collect(network, nets.batches(), tmp_path), wanted)


def test_ranges_that_cannot_be_kept_are_told_in_one_line(tmp_path: Path) -> None:
    ranges = collect(nets.chain(), nets.batches(8))
    with pytest.raises(StoreError, match="cannot keep"):
        ranges.save(tmp_path / "no such folder" / "ranges.npz", "key")
