"""Scores of pairs as the gallery measures them, and how they move."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.gallery.search import similarity
from faceedge.quantize.pairs import all_pairs
from faceedge.quantize.scores import agreement, moved_most, scored, shift, similarities, threshold_at
from faceedge.types import Floats, Template

PEOPLE = np.array([4, 4, 9, 9])


def outputs(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(4, 8)).astype(np.float32)


def template(row: Floats) -> Template:
    norm = float(np.linalg.norm(row))
    return Template(row / norm, norm, "space")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_pair_scores_as_in_the_gallery(metric: str) -> None:
    rows, pairs = outputs(), all_pairs(PEOPLE, seed=0)
    expected = [
        similarity(template(rows[one]), template(rows[other]), metric)
        for one, other in zip(pairs.first, pairs.second, strict=True)
    ]
    assert similarities(rows, pairs, metric) == pytest.approx(expected, abs=1e-6)


def test_people_are_numbered_without_gaps() -> None:
    scores = scored(outputs(), outputs(1), PEOPLE, all_pairs(PEOPLE, seed=0), "cosine")
    assert (scores.people, scores.genuine, scores.impostors) == (2, 2, 4)
    assert sorted(zip(scores.one.tolist(), scores.other.tolist(), strict=True)) == [(0, 0), *[(0, 1)] * 4, (1, 1)]


def test_an_output_that_is_not_a_number_agrees_with_nothing() -> None:
    source, build = outputs(), outputs()
    build[1, 3] = np.nan
    build[2, 0] = np.inf
    assert agreement(source, build, "cosine") == pytest.approx([1, 0, 0, 1])
    assert np.isfinite(scored(source, build, PEOPLE, all_pairs(PEOPLE, seed=0), "cosine").build).all()


def test_lengths_count_only_where_the_gallery_counts_them() -> None:
    rows = outputs()
    assert agreement(rows, 2 * rows, "cosine") == pytest.approx(np.ones(4))
    assert (agreement(rows, 2 * rows, "euclidean") < 0.9).all()


@pytest.mark.parametrize(("rate", "accepted"), [(0.0, 0), (0.001, 0), (0.01, 1), (0.1, 10), (0.105, 10), (1.0, 100)])
def test_a_threshold_accepts_no_more_than_its_rate(rate: float, accepted: int) -> None:
    impostors = np.random.default_rng(2).permutation(np.linspace(-0.2, 0.4, 100))
    assert int((impostors >= threshold_at(impostors, rate)).sum()) == accepted


def test_a_threshold_refuses_all_of_a_tie() -> None:
    impostors = np.array([0.1, 0.2, 0.3, 0.3, 0.3])
    assert int((impostors >= threshold_at(impostors, 0.4)).sum()) == 0


def test_the_shift_is_the_mean_of_what_each_pair_moved() -> None:
    scores = scored(outputs(), outputs(1), PEOPLE, all_pairs(PEOPLE, seed=0), "cosine")
    moved = (scores.build - scores.source)[~scores.same]
    assert shift(scores, same=False).mean == pytest.approx(moved.mean())
    assert shift(scores, same=False).spread == pytest.approx(moved.std())
    assert shift(scores, same=True).pairs == 2


def test_the_pairs_that_moved_most_come_first() -> None:
    scores = scored(outputs(), outputs(1), PEOPLE, all_pairs(PEOPLE, seed=0), "cosine")
    moved = np.abs(scores.build - scores.source)[moved_most(scores, 3)]
    assert moved.tolist() == sorted(np.abs(scores.build - scores.source), reverse=True)[:3]
