"""Error against discard, the area under the ROC curve and the scale, on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.jobs.calibration.quality_figures import DISCARDS, area, auc, discards, knots_of, spared


def test_a_perfect_order_leaves_no_error_once_the_failures_are_put_away() -> None:
    fails = np.arange(1000) < 100
    curve = discards(fails, np.arange(1000.0))
    assert curve[0] == pytest.approx(0.1)
    assert curve[DISCARDS >= 0.1].max() == 0


def test_an_order_that_means_nothing_leaves_the_errors_as_they_are() -> None:
    dice = np.random.default_rng(1)
    assert area(dice.random(20_000) < 0.2, dice.random(20_000)) == pytest.approx(0.2, abs=0.01)


def test_auc_is_one_for_a_perfect_order_half_for_ties_nought_for_the_reverse() -> None:
    fails = np.array([True, True, False, False, False])
    assert auc(fails, np.array([0.1, 0.2, 0.5, 0.6, 0.7])) == 1
    assert auc(fails, np.full(5, 0.5)) == 0.5
    assert auc(fails, np.array([0.9, 0.8, 0.5, 0.6, 0.7])) == 0


def test_auc_of_one_kind_only_is_no_number() -> None:
    assert np.isnan(auc(np.zeros(4, bool), np.arange(4.0)))


def test_the_knots_lie_where_one_in_four_and_one_in_twenty_fail() -> None:
    dice = np.random.default_rng(2)
    raw = dice.uniform(-5, 5, 60_000)
    fails = dice.random(60_000) < 1 / (1 + np.exp(2 * raw))
    knots = knots_of(raw, fails, usual=0.0, best=4.0)
    at = {quality: where for where, quality in knots}
    assert at[0.4] == pytest.approx(np.log(3) / 2, abs=0.15)
    assert at[0.6] == pytest.approx(np.log(19) / 2, abs=0.25)
    assert [where for where, _ in knots] == sorted({where for where, _ in knots})


def test_failures_that_clean_pictures_have_too_are_not_the_pictures_fault() -> None:
    dice = np.random.default_rng(3)
    raw = dice.uniform(-5, 5, 60_000)
    fails = dice.random(60_000) < 0.3 + 0.7 / (1 + np.exp(2 * raw))
    knots = knots_of(raw, fails, usual=0.3, best=4.0)
    assert {quality: where for where, quality in knots}[0.4] == pytest.approx(np.log(3) / 2, abs=0.2)


def test_a_scale_stays_a_function_where_nothing_fails() -> None:
    knots = knots_of(np.arange(100.0), np.zeros(100, bool), usual=0.0, best=80.0)
    assert [quality for _, quality in knots] == [0.0, 1.0]


def test_good_pictures_stay_usable_whatever_the_failures_say() -> None:
    dice = np.random.default_rng(5)
    raw = dice.uniform(-5, 5, 20_000)
    fails = dice.random(20_000) < 1 / (1 + np.exp(2 * raw))
    free, held = (dict(map(reversed, knots_of(raw, fails, 0.0, 4.0, most))) for most in (9.0, -1.0))
    assert free[0.4] > -1.0
    assert held[0.4] == -1.0
    assert held[0.6] == free[0.6]
    assert list(held) == sorted(held)
    assert list(held.values()) == sorted(held.values())


@pytest.mark.parametrize(("count", "lost"), [(50, 0), (1000, 3)])
def test_few_good_pictures_spare_all_of_them_and_many_spare_with_confidence(count: int, lost: int) -> None:
    assert spared(np.arange(float(count)), 0.01) == lost
