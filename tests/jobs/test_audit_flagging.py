"""`faceedge gallery audit --flag` compares everybody with everybody, and says so when it could not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.cli import gallery_fix
from faceedge.gallery.base import Levels
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit import flagging, scan
from faceedge.jobs.audit.flagging import flag_everybody
from faceedge.jobs.look_alikes import Measure
from faceedge.types import Template
from tests.jobs.made_up_audit import PACKAGE, SPACE, add, face, fill
from tests.jobs.test_audit_fix import journalled

MEASURE = Measure(SPACE, "cosine", grey=0.4, match=0.55)
ARGS = argparse.Namespace(config=None, json=True)


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    with Gallery.open(tmp_path) as opened:
        yield opened


def flagged(gallery: Gallery, measure: Measure = MEASURE) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in flag_everybody(gallery, measure, lambda _done: None).pairs}


def by_hand(gallery: Gallery, measure: Measure) -> set[frozenset[str]]:
    """Everybody with everybody, one pair after the other."""
    found = gallery.templates(SPACE)
    shown: dict[str, list[Template]] = {}
    for person, vector, norm in zip(found.persons, found.embeddings, found.norms, strict=True):
        shown.setdefault(person, []).append(Template(vector, float(norm), SPACE))
    people = sorted(shown)
    return {
        frozenset((one, other))
        for at, one in enumerate(people)
        for other in people[at + 1 :]
        if measure.likeness(shown[one], shown[other]) is not None
    }


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(("grey", "match"), [(0.3, 0.9), (2.0, 0.5), (0.35, 0.5)])
def test_it_flags_whom_a_comparison_of_every_two_people_would(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, metric: str, grey: float, match: float
) -> None:
    """By the mean of all pictures, by the nearest two, by either; in blocks that cut people in two."""
    monkeypatch.setattr(scan, "ROWS", 7)
    monkeypatch.setattr(scan, "COLUMNS", 11)
    rng = np.random.default_rng(1)
    with gallery.transaction():
        for number in range(24):
            person = gallery.add_person(f"p{number}").id
            for _ in range(1 + number % 4):
                vector = rng.normal(size=6)
                add(gallery, person, Template((vector / np.linalg.norm(vector)).astype(np.float32), 1.0, SPACE))
    measure = Measure(SPACE, metric, grey, match)
    expected = by_hand(gallery, measure)
    assert 0 < len(expected) < 24 * 23 / 2
    assert flagged(gallery, measure) == expected
    assert flagged(gallery, measure) == set()


def test_people_with_one_picture_each_are_flagged_and_who_is_near_by_a_wrong_picture(gallery: Gallery) -> None:
    """A wrong picture lets one in as the other until it is removed, and the flag with it."""
    ids = fill(gallery)
    add(gallery, ids["p1"], face(2, 9), "holiday.jpg")
    for name in ("twin", "other twin"):
        ids[name] = gallery.add_person(name).id
        add(gallery, ids[name], face(9, 1, 0.3 if name == "twin" else 0.31))
    assert flagged(gallery) == {frozenset((ids["p1"], ids["p2"])), frozenset((ids["twin"], ids["other twin"]))}


def test_a_daemon_can_tell_that_it_was_done_and_at_which_scores(gallery: Gallery) -> None:
    ids = fill(gallery)
    assert not gallery.compared.reaches(SPACE, MEASURE.levels)
    flag_everybody(gallery, MEASURE, lambda _done: None)
    assert gallery.compared.reaches(SPACE, MEASURE.levels)
    assert gallery.compared.reaches(SPACE, Levels(0.5, 0.6))
    assert not gallery.compared.reaches(SPACE, Levels(0.4, 0.5))
    assert not gallery.compared.reaches(SPACE, Levels(0.3, 0.55))
    add(gallery, ids["p1"], face(1, 8))
    assert not gallery.compared.reaches(SPACE, MEASURE.levels)


def test_who_looks_alike_is_told_and_journalled_and_the_exit_code_says_that_it_was_everybody(
    gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = fill(gallery)
    ids["p5"] = gallery.add_person("p5").id
    add(gallery, ids["p5"], face(4, 7))
    assert gallery_fix.flag(ARGS, gallery, PACKAGE) == 0
    told = json.loads(capsys.readouterr().out)
    ((one, other),) = told["flagged"]
    assert ({one["name"], other["name"]}, told["all"]) == ({"p4", "p5"}, True)
    (entry,) = journalled(tmp_path, "look_alike")
    assert (entry["by"], {entry["person"], entry["other"]}) == ("audit", {ids["p4"], ids["p5"]})
    assert gallery_fix.flag(argparse.Namespace(config=None, json=False), gallery, PACKAGE) == 0
    assert capsys.readouterr().out == "nobody was flagged who was not before\n"


def test_where_too_many_look_alike_it_says_so_with_the_exit_code_and_doors_are_not_told_that_it_was_done(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flagging, "MOST_PAIRS", 2)
    with gallery.transaction():
        for number in range(4):
            add(gallery, gallery.add_person(f"p{number}").id, face(1, number))
    assert gallery_fix.flag(ARGS, gallery, PACKAGE) == 1
    told = capsys.readouterr()
    assert "not everybody was compared" in told.err
    assert (len(json.loads(told.out)["flagged"]), json.loads(told.out)["all"]) == (2, False)
    assert not gallery.compared.reaches(SPACE, MEASURE.levels)


def test_the_scores_of_a_door_that_asks_look_alikes_for_more_count_where_they_are_lower(
    gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "door.toml"
    door = '[[door]]\nname = "main"\nlook_alikes = "review"\ndecide = {grey = 0.1, match = 0.2}\n'
    config.write_text(f'{door}[[camera]]\nname = "entry"\nuri = "file:/nowhere.mp4"\n', encoding="utf-8")
    fill(gallery, people=2, pictures=1)
    assert gallery_fix.flag(argparse.Namespace(config=config, json=True), gallery, PACKAGE) == 0
    assert gallery.compared.wanted(SPACE) == Levels(0.1, 0.2)
    assert gallery_fix.flag(ARGS, gallery, PACKAGE) == 0
    assert gallery.compared.wanted(SPACE) == Levels(0.4, 0.55)
