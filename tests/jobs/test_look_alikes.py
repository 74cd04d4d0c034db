"""Who is flagged as a look-alike: when photos are added, brought in, or taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.config import Decide, Door, DoorDecide
from faceedge.door_limits import Numbers
from faceedge.fit import Thresholds
from faceedge.gallery.base import Levels, Origin
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, enroll
from faceedge.jobs.look_alikes import Measure, as_before, demanded, flag, settle
from faceedge.types import Template
from tests.fakes.vision import FakeVision, Sitter, save

MEASURE = Measure("space", "cosine", grey=0.4, match=0.7)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "state") as opened:
        yield opened


def face(to_ada: float) -> Template:
    """A template so near to Ada, and apart from all others by what is left of it."""
    vector = np.zeros(100, np.float32)
    vector[0], vector[1 + round(90 * to_ada)] = to_ada, np.sqrt(1 - to_ada**2)
    return Template(vector, 1.0, "space")


def person(gallery: Gallery, name: str, *templates: Template) -> str:
    key = gallery.add_person(name).id
    for one in templates:
        gallery.add_template(key, one, Origin(0.9, "photo", "build"))
    return key


ADA = face(1.0)


def test_one_pair_of_photos_that_would_open_the_door_is_enough() -> None:
    assert MEASURE.likeness([ADA], [face(0.75), face(0.0), face(0.0)]) == pytest.approx(0.75)


def test_photos_that_are_all_in_doubt_tell_siblings_and_one_that_is_tells_nothing() -> None:
    assert MEASURE.likeness([ADA], [face(0.5), face(0.45), face(0.4)]) == pytest.approx(0.5)
    assert MEASURE.likeness([ADA], [face(0.6), face(0.1), face(0.2)]) is None
    assert MEASURE.likeness([ADA], []) is None


def test_both_are_flagged_whoever_came_last(gallery: Gallery) -> None:
    ada, eve, bob = person(gallery, "Ada", ADA), person(gallery, "Eve", face(0.5)), person(gallery, "Bob", face(0.1))
    assert flag(gallery, MEASURE, eve, [ada, bob], "enrolment") == {ada: True}
    assert gallery.book().look_alikes == {ada: {eve}, eve: {ada}}
    assert flag(gallery, MEASURE, ada, [eve], "enrolment") == {eve: False}


def test_a_template_that_goes_takes_along_what_rested_on_it_alone(gallery: Gallery) -> None:
    ada = person(gallery, "Ada", ADA)
    eve = person(gallery, "Eve", face(0.8), face(0.0), face(0.1))
    sister = person(gallery, "Sister", face(0.5))
    flag(gallery, MEASURE, ada, [eve, sister], "enrolment")
    assert settle(gallery, MEASURE, eve) == []
    gallery.remove_template(eve, gallery.entries(eve)[0].id)
    assert settle(gallery, MEASURE, eve) == [ada]
    assert gallery.book().look_alikes == {ada: {sister}, sister: {ada}}


def test_who_is_enrolled_beside_a_twin_is_flagged_in_the_same_moment(gallery: Gallery, tmp_path: Path) -> None:
    photo = save(tmp_path / "ada.png", Sitter(1))
    ada = enroll(gallery, FakeVision(), Wish("Ada", (photo,))).person.id
    twin = enroll(gallery, FakeVision(), Wish("Eve", (photo,), allow_duplicate=True))
    assert [other.flagged for other in twin.look_alikes] == [True]
    assert twin.entry()["flagged"] == [ada]
    assert gallery.book().look_alikes[ada] == {twin.person.id}


def test_photos_of_somebody_else_flag_nobody(gallery: Gallery, tmp_path: Path) -> None:
    for number in (1, 2):
        enroll(gallery, FakeVision(), Wish(f"p{number}", (save(tmp_path / f"{number}.png", Sitter(number)),)))
    assert gallery.alike.pairs() == []


def test_whoever_comes_is_compared_as_widely_as_those_who_are_there(gallery: Gallery, tmp_path: Path) -> None:
    """Everybody was compared for a door with lower scores than the recogniser's; the next one is, too."""
    ada = enroll(gallery, FakeVision(), Wish("Ada", (save(tmp_path / "ada.png", Sitter(1)),))).person.id
    levels = Measure.of(FakeVision()).levels
    assert gallery.compared.reaches(FakeVision().space, levels)
    lower = Levels(-1.0, -1.0)
    assert not gallery.compared.reaches(FakeVision().space, lower)
    gallery.compared.note(FakeVision().space, lower, gallery.changes())
    bob = enroll(gallery, FakeVision(), Wish("Bob", (save(tmp_path / "bob.png", Sitter(2)),)))
    assert [(other.person.id, other.flagged) for other in bob.look_alikes] == [(ada, True)]
    assert gallery.compared.reaches(FakeVision().space, lower)


def test_what_rests_on_a_lower_score_of_a_door_stays_when_a_template_goes(gallery: Gallery) -> None:
    ada, eve = person(gallery, "Ada", ADA), person(gallery, "Eve", face(0.3), face(0.0))
    gallery.compared.note("space", Levels(0.3, 0.3), gallery.changes())
    flag(gallery, as_before(gallery, MEASURE), ada, [eve], "enrolment")
    assert settle(gallery, MEASURE, eve) == []
    assert gallery.book().look_alikes == {ada: {eve}, eve: {ada}}


def test_the_doors_that_ask_look_alikes_for_more_say_down_to_which_score_people_are_to_be_compared() -> None:
    def asked(*doors: Door) -> Levels | None:
        return demanded(Numbers.of(doors, Decide(), Thresholds(grey=0.4, match=0.5, strict=0.6)))

    low, usual = DoorDecide(match=0.45), Door(name="main", look_alikes="review")
    assert asked(Door(name="main"), Door(name="low", decide=low)) is None
    assert asked(usual) == Levels(0.4, 0.5)
    assert asked(usual, Door(name="low", decide=low, look_alikes="review")) == Levels(0.4, 0.45)
