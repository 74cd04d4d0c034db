"""Rates are stated only where the pairs carry them, and their intervals hold the truth."""

from __future__ import annotations

import time

import numpy as np
import pytest

from faceedge.quantize.intervals import Drawing
from faceedge.quantize.rates import Rate, accuracy_drop, rates_at
from faceedge.quantize.scores import PairScores, threshold_at
from tests.quantize.made_up import pair_scores

DRAW = Drawing(seed=0, rounds=80)


def rate_at(scores: PairScores, far: float) -> Rate:
    return rates_at(scores, (far,), DRAW)[0]


def known(genuine: list[float], impostors: list[float], people: int = 12) -> PairScores:
    """Scores set by hand, the pairs dealt to the people in turn."""
    values = np.array(genuine + impostors)
    same = np.arange(len(values)) < len(genuine)
    one = np.arange(len(values)) % people
    return PairScores(values, values.copy(), same, one, np.where(same, one, (one + 1) % people))


def test_the_rate_is_the_share_above_the_impostors_quantile() -> None:
    scores = known(genuine=[0.2] * 10 + [0.9] * 30, impostors=list(np.linspace(0, 0.5, 3000)))
    rate = rate_at(scores, 0.01)
    assert rate.source == rate.build == 0.75
    assert rate.source_interval[0] < 0.65
    assert rate.source_interval[1] > 0.84


def test_a_build_that_says_the_same_drops_nothing() -> None:
    rate = rate_at(pair_scores(), 1e-3)
    assert rate.source == rate.build
    assert rate.drop_interval == (0.0, 0.0)


@pytest.mark.parametrize(
    ("people", "each", "far", "words"),
    [
        (9, 30, 0.01, "9 people are fewer than the 10"),
        (40, 1, 0.01, "0 genuine pairs are fewer than the 30"),
        (30, 2, 0.01, "1,740 impostor pairs are fewer than the 3,000"),
        (60, 6, 1e-4, "63,720 impostor pairs are fewer than the 300,000"),
    ],
)
def test_a_rate_that_the_pairs_cannot_carry_is_silent_and_says_why(
    people: int, each: int, far: float, words: str
) -> None:
    rate = rate_at(pair_scores(people, each), far)
    assert rate.source is rate.build is None
    assert words in rate.why_silent


def test_noise_lowers_the_rate_and_the_interval_of_the_drop_says_so() -> None:
    rate = rate_at(pair_scores(noise=0.12, spread=0.12), 1e-3)
    assert rate.source is not None
    assert rate.build is not None
    assert rate.source - rate.build > 0.1
    assert rate.drop_interval[0] > 0


def test_the_interval_is_wider_where_few_people_share_many_pairs() -> None:
    many = rate_at(pair_scores(people=60, each=4, spread=0.14), 0.01).source_interval
    few = rate_at(pair_scores(people=12, each=12, spread=0.14), 0.01).source_interval
    assert few[1] - few[0] > many[1] - many[0]


def test_a_hundred_thousand_pairs_take_seconds_not_minutes() -> None:
    start = time.process_time()
    scores = pair_scores(people=100, each=6, noise=0.01)
    assert scores.impostors == 100_000
    rates_at(scores, (1e-2, 1e-3), Drawing(seed=0, rounds=400))
    assert time.process_time() - start < 20


def test_the_same_decisions_drop_no_accuracy_and_the_interval_knows_how_many_there_were() -> None:
    few, many = pair_scores(20, 3), pair_scores(60, 9)
    drops = [accuracy_drop(scores, 0.5, 0.5, DRAW) for scores in (few, many)]
    assert [drop.drop for drop in drops] == [0.0, 0.0]
    assert drops[0].interval[1] > 0.02
    assert drops[1].interval[1] < 0.002


def test_accuracy_is_the_mean_of_both_shares_however_many_impostors_there_are() -> None:
    scores = known(genuine=[0.9] * 8 + [0.1] * 2, impostors=[0.0] * 900 + [0.8] * 100)
    drop = accuracy_drop(scores, 0.5, 0.05, DRAW)
    assert drop.source == pytest.approx((0.8 + 0.9) / 2)
    assert drop.build == pytest.approx((1.0 + 0.9) / 2)
    assert (drop.lost, drop.won) == (0, 2)
    assert drop.drop == pytest.approx(-0.1)


def test_a_real_drop_is_beyond_its_interval() -> None:
    scores = pair_scores(noise=0.1, spread=0.1)
    thresholds = [threshold_at(side[~scores.same], 1e-3) for side in (scores.source, scores.build)]
    drop = accuracy_drop(scores, *thresholds, DRAW)
    assert drop.interval[0] > 0.002
    assert drop.interval[0] < drop.drop < drop.interval[1]
