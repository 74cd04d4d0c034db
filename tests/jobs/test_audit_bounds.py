"""How large a rate may be after so many errors: known values, and pairs that share people."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.jobs.audit.bounds import bounds, effect_of, incomplete_beta, student, upper


@pytest.mark.parametrize(
    ("errors", "trials", "most"),
    [(0, 100, 0.02951), (0, 1_000_000, 2.9957e-6), (1, 100, 0.04656), (5, 100, 0.10225), (3, 1e6, 7.7536e-6)],
)
def test_the_bound_is_that_of_clopper_and_pearson(errors: float, trials: float, most: float) -> None:
    assert upper(errors, trials) == pytest.approx(most, rel=1e-3)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.9999])
def test_the_bound_is_that_of_a_library(confidence: float) -> None:
    special = pytest.importorskip("scipy.special")
    for trials in (3, 100.5, 1e4, 1e7):
        for errors in (0, 0.3, 1, 2, 2.9, 40, 5000):
            if errors < trials:
                known = special.betaincinv(errors + 1, trials - errors, confidence)
                assert upper(errors, trials, confidence) == pytest.approx(known, rel=1e-6)


def test_without_errors_it_is_the_rule_of_three() -> None:
    assert upper(0, 3000) == pytest.approx(3 / 3000, rel=2e-3)


def test_nothing_tried_and_everything_wrong_bound_nothing() -> None:
    assert upper(0, 0) == 1.0
    assert upper(4, 4) == 1.0


def test_the_exact_bound_holds_as_often_as_it_says() -> None:
    drawn = np.random.default_rng(0).binomial(200, 0.02, 1000)
    held = np.mean([upper(int(errors), 200) >= 0.02 for errors in drawn])
    assert held >= 0.95


@pytest.mark.parametrize(("freedom", "value"), [(1, 6.3138), (2, 2.9200), (30, 1.6973)])
def test_students_quantiles(freedom: int, value: float) -> None:
    assert student(0.95, freedom) == pytest.approx(value, rel=1e-4)


def test_the_incomplete_beta_function_is_the_binomial_sum() -> None:
    drawn = sum(np.prod([(10 - i) / (i + 1) for i in range(k)]) * 0.3**k * 0.7 ** (10 - k) for k in range(4, 11))
    assert incomplete_beta(0.3, 4, 7) == pytest.approx(float(drawn))


def test_one_person_who_resembles_all_makes_the_pairs_worth_less() -> None:
    spread, lamb = np.full(40, 1.95), np.ones(40)
    lamb[0] = 39.0
    assert spread.sum() == pytest.approx(lamb.sum())
    assert effect_of(spread, 40) == 1.0
    assert effect_of(lamb, 40) > 10
    assert bounds(lamb, 40, 1.0).likely > 1.5 * bounds(spread, 40, 1.0).likely


def test_the_bounds_stand_in_order_and_two_people_claim_next_to_nothing() -> None:
    for people in (2, 3, 10, 100):
        found = bounds(np.zeros(people), people, 1.5)
        assert found.rate == 0 <= found.naive <= found.likely <= found.assured
    assert bounds(np.zeros(2), 2, 1.0).likely == pytest.approx(0.95)
