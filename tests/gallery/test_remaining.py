"""A gallery as the recogniser before sees it, once another serves: only whom that one does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faceedge.gallery.base import Origin, Person
from faceedge.gallery.remaining import Remaining
from faceedge.gallery.store import Gallery
from faceedge.jobs import roster as rosters
from faceedge.jobs.roster import Roster
from tests.fakes.vision import Sitter, template

OLD, NEW = "space0of0old", "space0of0new"
ADA, BOB = 1, 2


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "state") as opened:
        yield opened


def enrol(gallery: Gallery, name: str, seed: int, space: str) -> Person:
    person = gallery.find(name) or gallery.add_person(name)
    gallery.add_template(person.id, template(Sitter(seed), space), Origin(0.9, "photo", "build"))
    return person


def test_whoever_the_new_recogniser_knows_is_not_there(gallery: Gallery) -> None:
    ada, bob = enrol(gallery, "Ada", ADA, OLD), enrol(gallery, "Bob", BOB, OLD)
    enrol(gallery, "Ada", ADA, NEW)
    left = Remaining(gallery, NEW)
    assert left.templates(OLD).persons == (bob.id,)
    assert left.templates(OLD, [ada.id]).persons == ()
    assert len(left.templates(OLD).embeddings) == len(left.templates(OLD).norms) == 1


@pytest.mark.parametrize("reloaded", [rosters.RELOADED, 0])
def test_a_roster_lets_go_of_whoever_is_enrolled_again(
    gallery: Gallery, reloaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rosters, "RELOADED", reloaded)
    ada, bob = enrol(gallery, "Ada", ADA, OLD), enrol(gallery, "Bob", BOB, OLD)
    roster = Roster(Remaining(gallery, NEW), "cosine", OLD)
    assert roster.identifier.identify(template(Sitter(ADA), OLD)).person == ada.id
    enrol(gallery, "Ada", ADA, NEW)
    roster.follow()
    assert roster.identifier.identify(template(Sitter(ADA), OLD)).person == bob.id
    enrol(gallery, "Bob", BOB, NEW)
    roster.follow()
    assert roster.identifier.identify(template(Sitter(ADA), OLD)).person is None


def test_a_roster_lets_go_of_whoever_is_removed(gallery: Gallery) -> None:
    ada, bob = enrol(gallery, "Ada", ADA, OLD), enrol(gallery, "Bob", BOB, OLD)
    roster = Roster(Remaining(gallery, NEW), "cosine", OLD)
    gallery.remove(ada)
    roster.follow()
    assert roster.identifier.identify(template(Sitter(ADA), OLD)).person == bob.id
