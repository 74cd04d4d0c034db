"""Four detectors and five recognisers answer pair by pair as a plain loop does; the whole lists:
`python -m benchmarks.families_accuracy`."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from benchmarks import reference
from benchmarks.families_accuracy import (
    COMBINATIONS,
    Answer,
    Combination,
    Pair,
    agreement,
    answers,
    figures,
    folds,
    read_pairs,
)

WITHIN = 1e-4


def sample(assets: Path, count: int) -> list[Pair]:
    """Half of each list, same and different as they come."""
    pairs = read_pairs(assets)
    own, lfw = ([one for one in pairs if one.one.startswith("lfw/") is is_lfw] for is_lfw in (False, True))
    draw = random.Random(7)
    return draw.sample(own, count // 2) + draw.sample(lfw, count // 2)


def agree(assets: Path, pairs: list[Pair], combinations: tuple[Combination, ...]) -> None:
    for (detector, recognizer), found in answers(assets, pairs, combinations).items():
        seen = agreement(found, reference.RECOGNIZERS[recognizer])
        assert seen["pairs"] == len(pairs), detector
        assert seen["decided_differently"] == 0, detector
        assert seen["without_face_ours"] == seen["without_face_theirs"], detector
        assert seen["apart_max"] < WITHIN, detector


@pytest.mark.assets
@pytest.mark.parametrize("combination", COMBINATIONS, ids=" + ".join)
@pytest.mark.system
def test_some_pairs_are_those_of_the_plain_loop(combination: Combination, assets: Path) -> None:
    part = COMBINATIONS.index(combination)
    agree(assets, sample(assets, 40)[part :: len(COMBINATIONS)], (combination,))


@pytest.mark.assets
@pytest.mark.system
def test_many_pairs_are_those_of_the_plain_loop_whatever_the_networks(assets: Path) -> None:
    agree(assets, sample(assets, 160), COMBINATIONS)


def test_every_network_of_the_reference_is_compared() -> None:
    assert {detector for detector, _ in COMBINATIONS} == set(reference.DETECTORS)
    assert {recognizer for _, recognizer in COMBINATIONS} == set(reference.RECOGNIZERS)


def test_the_reference_shares_no_code_with_what_it_checks() -> None:
    text = Path(reference.__file__).read_text(encoding="utf-8")
    assert not [line for line in text.splitlines() if "import" in line and "faceedge" in line]


def answer(ours: float | None, theirs: float | None, same: bool = True) -> Answer:
    return Answer(Pair("a", "b", same), ours, theirs)


def test_a_pair_across_the_threshold_is_decided_differently() -> None:
    found = [answer(0.5, 0.50009), answer(0.39, 0.41), answer(0.2, None), answer(0.9, None), answer(0.1, 0.1, False)]
    seen = agreement(found, 0.4)
    assert (seen["decided_differently"], seen["without_face_ours"], seen["without_face_theirs"]) == (2, 0, 2)
    assert seen["apart_max"] == pytest.approx(0.02)
    assert seen["apart_above_1e-4"] == 1


def test_figures_of_scores_that_separate_and_of_scores_that_do_not() -> None:
    same = np.arange(40) % 2 == 0
    apart = np.where(same, 0.8, 0.1) + np.arange(40) / 1000
    assert figures(apart, same, 0.5) == {"accuracy_fixed": 1, "accuracy_folds": 1, "eer": 0, "tar_at_1e-2": 1}
    swapped = apart.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    found = figures(swapped, same, 0.5)
    assert found["accuracy_fixed"] == 0.95
    assert found["eer"] == pytest.approx(0.05)
    assert found["tar_at_1e-2"] == 0.95


def test_a_threshold_is_never_fitted_on_the_pairs_it_judges() -> None:
    """Every fold's own best threshold would be perfect; the others' is not."""
    fold = np.arange(100) % 10
    same = np.arange(100) % 20 < 10
    scores = np.where(same, 0.2, 0.0) + np.where(fold == 3, 1.0, 0.0)
    assert folds(scores, same) == pytest.approx(0.95)
