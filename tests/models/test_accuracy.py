"""The default models decide labelled pairs as dlib does; the whole lists: `python -m benchmarks.accuracy`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.accuracy import Answer, Pair, accuracy, answer, matches, read_pairs, report
from faceedge.config import EngineSettings, Models
from faceedge.jobs.open_vision import open_vision
from tests.shortened import shortened


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.parametrize("count", shortened([40, 90], 1))
def test_no_pair_is_decided_otherwise_than_by_dlib(
    count: int, assets: Path, default_models: Path, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    pairs = random.Random(2).sample(read_pairs(assets), count)
    with open_vision(Models(), EngineSettings(threads=1), tmp_path, default_models.parent) as vision:
        figures = report(answer(vision, assets / "data" / "dev", pairs), [0.65, 0.6, 0.5])
    for name in ("pairs", "accuracy_ours", "accuracy_dlib", "distance_apart_max"):
        record_property(name, figures[name])
    print({name: value for name, value in figures.items() if name != "errors"})  # noqa: T201  shown with -s
    assert figures["flips_not_held"] == 0
    assert figures["face_in_one_only"] == 0
    assert figures["distance_apart_max"] < 0.005
    assert figures["accuracy_ours"] == pytest.approx(figures["accuracy_dlib"], abs=0.02)


def pair(theirs: float | None, same: bool = True, suspect: bool = False) -> Pair:
    return Pair("pairs.csv", "a.jpg", "b.jpg", same, suspect, theirs)


def test_a_flip_is_held_only_near_the_threshold() -> None:
    assert Answer(pair(0.595), 0.605).flips
    assert Answer(pair(0.595), 0.605).held
    assert Answer(pair(0.55), 0.61).flips
    assert not Answer(pair(0.55), 0.61).held
    assert not Answer(pair(0.55), 0.56).flips


def test_a_face_that_only_one_finds_is_a_flip_when_it_would_match() -> None:
    assert Answer(pair(None), 0.3).flips
    assert not Answer(pair(None), 0.3).held
    assert not Answer(pair(None), 0.9).flips


def test_a_pair_without_a_face_is_no_match() -> None:
    assert not matches(None)
    assert accuracy([(None, True), (None, False), (0.1, True), (0.7, False)]) == 0.75


def test_doubted_labels_count_for_flips_but_not_for_accuracy() -> None:
    answers = [Answer(pair(0.3), 0.3), Answer(pair(0.9, same=False), 0.9), Answer(pair(0.3, suspect=True), 0.7)]
    figures = report(answers, [0.6])
    assert figures["pairs"] == 2
    assert figures["accuracy_ours"] == 1
    assert figures["flips_not_held"] == 1
