"""Thresholds move with the scores, never let in more strangers, and say what they rest on."""

from __future__ import annotations

import datetime
from functools import cache

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.fit import Fit, SiteThresholds, Thresholds
from faceedge.quantize.pairs import all_pairs
from faceedge.quantize.scores import PairScores, scored
from faceedge.quantize.thresholds import moved_threshold, refit
from tests.quantize.made_up import embeddings, noisy, pair_scores

SOURCE = Fit(thresholds=Thresholds(grey=0.35, match=0.42, strict=0.48), look_alike=0.38, evidence="made up")
BARE = Fit(thresholds=SOURCE.thresholds, evidence="made up")


def squeezed(scores: PairScores, slope: float, level: float) -> PairScores:
    """As if INT8 said slope x score + level of every pair."""
    return PairScores(scores.source, slope * scores.source + level, scores.same, scores.one, scores.other)


def false_matches(scores: PairScores, fit: Fit, side: str) -> list[int]:
    levels = fit.thresholds
    values = getattr(scores, side)[~scores.same]
    return [int((values >= at).sum()) for at in (levels.grey, levels.match, levels.strict)]


def test_a_build_that_says_the_same_keeps_its_thresholds() -> None:
    fit = refit(SOURCE, pair_scores()).fit
    assert fit.thresholds.model_dump() == pytest.approx(SOURCE.thresholds.model_dump(), abs=2e-6)
    assert fit.look_alike == pytest.approx(0.38, abs=2e-6)


@pytest.mark.parametrize(("slope", "level"), [(0.9, 0.0), (1.0, 0.05), (0.8, 0.1), (1.1, -0.02)])
def test_thresholds_follow_a_line(slope: float, level: float) -> None:
    fit = refit(SOURCE, squeezed(pair_scores(), slope, level)).fit
    expected = [slope * at + level for at in (0.35, 0.42, 0.48)]
    assert list(fit.thresholds.model_dump().values()) == pytest.approx(expected, abs=2e-6)
    assert fit.look_alike == pytest.approx(slope * 0.38 + level, abs=2e-6)


@cache
def test_a_build_takes_over_what_a_site_made_stricter_and_no_risk_that_it_accepted() -> None:
    site = SiteThresholds(
        shipped=SOURCE.thresholds, shipped_look_alike=0.38, fmr=1e-3, confidence=0.95, errors=0, pairs=45, people=10,
        templates=20, basis=("measured", "measured", "extrapolated"), method="made up", made=datetime.date(2026, 1, 2),
        accepted_risk="a guard stands there",
    )  # fmt: skip
    own = Fit(thresholds=Thresholds(grey=0.2, match=0.3, strict=0.55), look_alike=0.3, evidence="own", site=site)
    fit = refit(own, pair_scores()).fit
    assert list(fit.thresholds.model_dump().values()) == pytest.approx([0.35, 0.42, 0.55], abs=2e-6)
    assert fit.look_alike == pytest.approx(0.38, abs=2e-6)
    assert fit.site is None


def crowd(noise: float) -> PairScores:
    """Every stranger of a thousand people."""
    rows, numbers = embeddings(1000, 1, seed=7, dimension=32)
    return scored(rows, noisy(rows, noise), numbers, all_pairs(numbers, 0, impostors=500_000), "cosine")


@pytest.mark.parametrize("noise", [0.01, 0.02])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_threshold_moved_on_few_pairs_keeps_its_false_match_rate_on_many(noise: float, seed: int) -> None:
    many, (rows, numbers) = crowd(noise), embeddings(30, 5, seed, dimension=32)
    few = scored(rows, noisy(rows, noise), numbers, all_pairs(numbers, 0), "cosine")
    at = moved_threshold(0.5, few)[0]
    before = int((many.source[~many.same] >= 0.5).sum())
    assert before > 500
    assert int((many.build[~many.same] >= at).sum()) == pytest.approx(before, rel=0.15)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05, 0.2, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_level_lets_in_more_strangers_than_before_and_levels_rise(noise: float, seed: int) -> None:
    scores = pair_scores(people=25, each=5, noise=noise, seed=seed)
    fit = refit(BARE, scores).fit
    before, after = false_matches(scores, BARE, "source"), false_matches(scores, fit, "build")
    assert all(ours <= theirs for ours, theirs in zip(after, before, strict=True))
    assert fit.thresholds.grey < fit.thresholds.match < fit.thresholds.strict


def test_a_stated_rate_that_the_source_does_not_keep_is_fitted_where_the_pairs_carry_it() -> None:
    scores = pair_scores(people=80, each=5, noise=0.01)
    low = Fit(thresholds=Thresholds(grey=0.2, match=0.3, strict=0.48), evidence="made up")
    levels = {level.name: level for level in refit(low, scores, {"grey": 1e-2, "match": 1e-3, "strict": 1e-5}).levels}
    assert levels["grey"].method == levels["match"].method == "quantile"
    assert levels["match"].false_build == scores.impostors // 1000
    assert "fitted on 79,000 impostor pairs for a false-match rate of 1.0e-03" in levels["match"].words
    assert levels["strict"].method in ("shift", "parity")


def test_a_stated_rate_looser_than_the_sources_loosens_nothing() -> None:
    scores = pair_scores(people=80, each=5)
    assert refit(BARE, scores, {"grey": 0.1}).fit.thresholds.grey == pytest.approx(0.35, abs=2e-6)


def test_a_lifted_level_lifts_those_above_it() -> None:
    scores = pair_scores(people=80, each=5)
    low = Fit(thresholds=Thresholds(grey=0.1, match=0.12, strict=0.15), evidence="made up")
    fit = refit(low, scores, {"grey": 1e-3}).fit.thresholds
    assert fit.match - fit.grey == pytest.approx(0.02, abs=1e-5)
    assert fit.strict - fit.match == pytest.approx(0.03, abs=1e-5)


def test_look_alikes_are_pointed_out_up_to_match_and_never_later() -> None:
    near = Fit(thresholds=Thresholds(grey=0.35, match=0.38, strict=0.48), look_alike=0.38, evidence="made up")
    fit = refit(near, pair_scores(people=20, each=4, noise=0.05)).fit
    assert fit.look_alike is not None
    assert fit.look_alike <= fit.thresholds.match


def test_the_evidence_counts_the_pairs_and_keeps_the_sources() -> None:
    evidence = refit(SOURCE, pair_scores(people=30, each=5, noise=0.01)).fit.evidence
    assert "300 genuine and 10,875 impostor pairs of 30 people" in evidence
    assert evidence.count("95 % confidence") == 4
    assert evidence.endswith("The float source's: made up")


def test_what_else_the_fit_says_is_kept() -> None:
    strict = SOURCE.model_copy(update={"door": "strict"})
    assert refit(strict, pair_scores()).fit.door == "strict"
    assert refit(BARE, pair_scores()).fit.look_alike is None


@pytest.mark.parametrize(("people", "each"), [(5, 2), (40, 1), (2, 5)])
def test_too_few_pairs_place_no_threshold(people: int, each: int) -> None:
    with pytest.raises(BadInput, match="cannot place a threshold; give at least 100, 30 of each"):
        refit(SOURCE, pair_scores(people, each))


def test_a_dead_build_gets_finite_thresholds_that_let_nobody_in() -> None:
    scores = pair_scores(people=20, each=4)
    dead = PairScores(scores.source, np.full_like(scores.source, 0.7), scores.same, scores.one, scores.other)
    fit = refit(BARE, dead).fit.thresholds
    assert np.isfinite([fit.grey, fit.match, fit.strict]).all()
    assert fit.grey > 0.7
