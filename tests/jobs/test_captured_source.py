"""Captured crops as a calibration sees them: fairly drawn, of this recogniser, with some people left for the gates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import Capture
from faceedge.errors import BadInput
from faceedge.gallery.captured import DAY_S, Kept
from faceedge.gallery.store import Gallery
from faceedge.jobs.captured_source import Drawn, captured_crops, tell
from faceedge.jobs.strata import PERSON_FLOOR

TODAY = 20_000 * DAY_S
ON = Capture(on=True)
DRAWN = Drawn("arcface_112", 1000, 1)


def crop(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (112, 112, 3), np.uint8)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def store(state: Path, person: str | None, count: int, created: int = TODAY, alignment: str = "arcface_112") -> None:
    """Crops of a person of that name, who is enrolled if need be."""
    with Gallery.open(state) as gallery:
        known = gallery.find(person) if person else None
        key = None if person is None else (known or gallery.add_person(person)).id
        rows = [
            Kept(
                f"{person}-{created}-{alignment}-{at}", key, created, alignment, "b", 0.7, 20.0 * (at % 12), at / count
            )
            for at in range(count)
        ]
        gallery.captured.change([(row, crop(at)) for at, row in enumerate(rows)], ())


def test_every_pass_gives_the_same_samples(state: Path) -> None:
    store(state, "Ada", 3)
    store(state, None, 2)
    source = captured_crops(state, DRAWN, ON, lambda: TODAY)
    first, second = list(source.samples()), list(source.samples())
    assert len(source) == len(first) == 5
    assert [one.digest for one in first] == [one.digest for one in second]
    assert len({one.digest for one in first}) == 3
    with Gallery.open(state) as gallery:
        ada = gallery.people()[0]
    assert [one.person for one in first] == [ada.id] * 3 + [""] * 2
    assert np.array_equal(first[1].picture, crop(1))
    assert first[0].faces[0].width_px == 112


def test_what_was_cut_for_another_recogniser_or_is_too_old_is_left_out(state: Path) -> None:
    store(state, None, 4, alignment="dlib_150")
    store(state, None, 3, created=TODAY - 40 * DAY_S)
    with pytest.raises(BadInput, match="no crop of alignment arcface_112 was captured; set on = true"):
        captured_crops(state, DRAWN, ON, lambda: TODAY)
    store(state, None, 2)
    assert len(captured_crops(state, DRAWN, ON, lambda: TODAY)) == 2
    with Gallery.open(state) as gallery:
        assert len(gallery.captured.kept()) == 6, "too old ones are erased, not only left out"


def test_a_third_of_the_people_is_left_for_the_gates_the_same_for_a_seed(state: Path) -> None:
    for number in range(10):
        store(state, f"Person {number}", 2)
    store(state, None, 5)
    source = captured_crops(state, DRAWN, ON, lambda: TODAY)
    people = {one.person for one in source.samples()} - {""}
    assert (len(source), len(people)) == (19, 7)
    assert source.name == "19 of 25 captured crops; 3 people left out for the gates"
    again = captured_crops(state, DRAWN, ON, lambda: TODAY)
    assert {one.person for one in again.samples()} - {""} == people


def test_a_limit_leaves_every_stratum_its_share(state: Path) -> None:
    store(state, "Ada", 30)
    store(state, None, 30)
    source = captured_crops(state, Drawn("arcface_112", 24, 1), ON, lambda: TODAY)
    people = [one.person for one in source.samples()]
    assert (len(people), people.count("")) == (24, 12)
    only = captured_crops(state, Drawn("arcface_112", 50, 1), ON, lambda: TODAY)
    assert sum(bool(one.person) for one in only.samples()) == PERSON_FLOOR


def test_a_crop_erased_between_two_passes_is_passed_over_and_counted(state: Path) -> None:
    store(state, None, 3)
    source = captured_crops(state, DRAWN, ON, lambda: TODAY)
    assert len(list(source.samples())) == 3
    with Gallery.open(state) as gallery:
        gallery.captured.change((), [gallery.captured.kept()[0].id])
    assert (len(list(source.samples())), len(source.unreadable)) == (2, 1)


def test_what_is_told_counts_strata_and_names_nobody(state: Path) -> None:
    store(state, "Ada", 6)
    store(state, "Bob", 2, created=TODAY - 3 * DAY_S)
    store(state, None, 12)
    with Gallery.open(state) as gallery:
        told = tell(gallery.captured.kept(), ON)
        ids = [person.id for person in gallery.people()]
    assert (told["crops"], told["people"], told["most_of_one"], told["strangers"]) == (20, 2, 6, 12)
    assert (told["oldest"], told["newest"]) == ("2024-10-01", "2024-10-04")
    assert sum(one["people"] + one["strangers"] for one in told["strata"]) == 20
    assert {one["light"] for one in told["strata"]} == {"dark", "even", "bright"}
    text = json.dumps(told)
    assert not [word for word in ("Ada", "Bob", *ids) if word in text]
