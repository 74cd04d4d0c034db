"""Intervals against tables, against brute force, and against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faceedge.quantize.intervals import Drawing, draws, mean_of_two, paired_drop, percentiles, wider, wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_agrees_with_the_table(hits: int, count: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3."""
    assert wilson(hits, count) == pytest.approx((low, high), abs=6e-5)


def test_wilson_of_all_mirrors_wilson_of_none() -> None:
    low, high = wilson(20, 20)
    assert (1 - high, 1 - low) == pytest.approx(wilson(0, 20))
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_paired_drop_without_any_difference_still_has_a_width() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 2635: 54 pairs, none discordant, score interval ±0.0664."""
    assert paired_drop(0, 0, 54) == pytest.approx((-0.0664, 0.0664), abs=6e-5)


@pytest.mark.parametrize(("lost", "won", "count"), [(12, 2, 50), (3, 3, 100), (9, 0, 40), (0, 5, 2000)])
def test_a_paired_drop_ends_where_the_score_test_turns(lost: int, won: int, count: int) -> None:
    for end in paired_drop(lost, won, count):
        assert abs(_score_by_search(lost, won, count, end)) == pytest.approx(1.95996, abs=2e-3)


def _score_by_search(lost: int, won: int, count: int, drop: float) -> float:
    """The score test, its nuisance rate found by trying every value instead of by the closed form."""
    rates = np.linspace(max(0, -drop), (1 - drop) / 2, 2_000_001)[1:-1]  # of `won`; `lost` has this plus the drop
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = (
            lost * np.log(rates + drop)
            + (won * np.log(rates) if won else 0)
            + (count - lost - won) * np.log1p(-2 * rates - drop)
        )
    rate = rates[np.nanargmax(np.where(np.isfinite(likelihood), likelihood, -np.inf))]
    return (lost - won - count * drop) / math.sqrt(count * (2 * rate + drop * (1 - drop)))


def test_a_paired_drop_mirrors_when_the_methods_change_places() -> None:
    low, high = paired_drop(7, 2, 300)
    assert paired_drop(2, 7, 300) == pytest.approx((-high, -low))
    assert low < 5 / 300 < high
    assert paired_drop(0, 0, 0) == (-1.0, 1.0)


def test_a_paired_drop_holds_the_truth_nineteen_times_in_twenty() -> None:
    chance = np.random.default_rng(5)
    counts = chance.multinomial(400, [0.02, 0.01, 0.97], size=400)
    held = [low <= 0.01 <= high for low, high in (paired_drop(int(a), int(b), 400) for a, b, _ in counts)]
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_mean_of_two_figures_is_surer_than_either() -> None:
    assert mean_of_two(0.1, (0.0, 0.2), 0.3, (0.2, 0.4)) == pytest.approx((0.2 - 0.0707, 0.2 + 0.0707), abs=1e-4)


def test_people_are_drawn_as_often_as_there_are_people_and_by_seed() -> None:
    drawn = draws(9, Drawing(seed=3, rounds=50))
    assert drawn.shape == (50, 9)
    assert (drawn.sum(axis=1) == 9).all()
    assert (drawn == draws(9, Drawing(seed=3, rounds=50))).all()
    assert (drawn != draws(9, Drawing(seed=4, rounds=50))).any()


def test_percentiles_and_the_outer_ends() -> None:
    assert percentiles(np.arange(1001.0), 0.9) == pytest.approx((50, 950))
    assert wider((0, 2), (1, 3)) == (0, 3)
