"""A running daemon notices who was enrolled, and knows nobody when the gallery cannot be read."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from faceedge.errors import StoreError
from faceedge.gallery.base import BuildSearch, Levels, Likeness, Origin, Templates
from faceedge.gallery.search import Index
from faceedge.gallery.store import Gallery
from faceedge.jobs import roster as roster_module
from faceedge.jobs.roster import Roster
from faceedge.types import Template
from tests.fakes.plain_search import PlainSearch

engines = pytest.mark.parametrize("build", [Index.of, PlainSearch.of], ids=["ours", "another"])
BERT = Template(np.eye(8, dtype=np.float32)[1], 1.0, "space")
ANNA = Template(np.eye(8, dtype=np.float32)[0], 1.0, "space")


def enrol(gallery: Gallery) -> str:
    person = gallery.add_person("Anna")
    gallery.add_template(person.id, ANNA, Origin(0.9, "anna.jpg", "build"))
    return person.id


@engines
def test_somebody_enrolled_by_another_process_is_known_at_the_next_look(build: BuildSearch, tmp_path: Path) -> None:
    here, there = Gallery.open(tmp_path), Gallery.open(tmp_path)
    roster = Roster(here, "cosine", "space", build)
    assert roster.identifier.identify(ANNA).person is None
    anna = enrol(there)
    roster.follow()
    assert roster.identifier.identify(ANNA).person == anna
    there.remove(next(person for person in there.people() if person.id == anna))
    roster.follow()
    assert roster.identifier.identify(ANNA).person is None
    here.close()
    there.close()


@pytest.mark.parametrize("is_running", [False, True])
def test_whoever_is_enrolled_while_the_gallery_is_read_is_known_with_their_flag(
    is_running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Gallery.open(tmp_path), Gallery.open(tmp_path)
    bert = there.add_person("Bert").id
    whole, came = here.templates, []

    def late(space: str, persons: Collection[str] | None = None) -> Templates:
        if not came:
            came.append(enrol(there))
            there.alike.note(came[0], bert, Likeness("enrolment", 0.9, "space"))
        return whole(space, persons)

    if not is_running:
        monkeypatch.setattr(here, "templates", late)
    roster = Roster(here, "cosine", "space")
    monkeypatch.setattr(here, "templates", late)
    there.add_template(bert, BERT, Origin(0.9, "bert.jpg", "build"))
    roster.follow()
    assert roster.identifier.identify(ANNA).person == came[0]
    assert roster.looks_alike(came[0])


@engines
def test_a_large_gallery_is_followed_by_who_changed(
    build: BuildSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_module, "RELOADED", 0)
    here, there = Gallery.open(tmp_path), Gallery.open(tmp_path)
    bert = there.add_person("Bert")
    there.add_template(bert.id, BERT, Origin(0.9, "bert.jpg", "build"))
    roster = Roster(here, "cosine", "space", build)
    asked: list[object] = []
    whole = here.templates
    monkeypatch.setattr(
        here, "templates", lambda space, persons=None: (asked.append(persons), whole(space, persons))[1]
    )
    anna = enrol(there)
    roster.follow()
    assert roster.identifier.identify(ANNA).person == anna
    assert roster.identifier.identify(BERT).person == bert.id
    there.add_template(bert.id, ANNA, Origin(0.9, "mixed up.jpg", "build"))
    there.remove(next(person for person in there.people() if person.id == anna))
    roster.follow()
    assert roster.identifier.identify(ANNA).person == bert.id
    assert asked == [{anna}, {anna, bert.id}]
    here.close()
    there.close()


@engines
def test_a_gallery_that_turns_unreadable_lets_nobody_in_until_it_is_mended(
    build: BuildSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery.open(tmp_path)
    anna = enrol(gallery)
    roster = Roster(gallery, "cosine", "space", build)

    def broken() -> int:
        raise StoreError("gallery.db is damaged; restore a backup")

    with monkeypatch.context() as patch:
        patch.setattr(gallery, "changes", broken)
        roster.follow()
        assert roster.identifier.identify(ANNA).person is None
    roster.follow()
    assert roster.identifier.identify(ANNA).person == anna
    gallery.close()


def test_a_gallery_put_in_the_place_of_the_open_one_lets_nobody_in_until_a_new_start(tmp_path: Path) -> None:
    gallery = Gallery.open(tmp_path)
    anna = enrol(gallery)
    roster = Roster(gallery, "cosine", "space")
    (tmp_path / "gallery.db").rename(tmp_path / "old.db")
    roster.follow()
    assert roster.identifier.identify(ANNA).person is None
    (tmp_path / "old.db").rename(tmp_path / "gallery.db")
    roster.follow()
    assert roster.identifier.identify(ANNA).person == anna
    gallery.close()


def test_who_is_flagged_by_another_process_is_asked_for_more_at_the_next_look(tmp_path: Path) -> None:
    with Gallery.open(tmp_path) as here, Gallery.open(tmp_path) as there:
        anna, boris = enrol(here), here.add_person("Boris").id
        roster = Roster(here, "cosine", "space")
        assert not roster.looks_alike(anna)
        there.alike.mark(anna, boris)
        roster.follow()
        assert roster.looks_alike(anna)
        assert roster.looks_alike(boris)


def test_while_the_gallery_cannot_be_read_everybody_counts_as_a_look_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(tmp_path) as gallery:
        anna = enrol(gallery)
        roster = Roster(gallery, "cosine", "space")
        gallery.add_person("Boris")

        def broken() -> None:
            raise StoreError("gallery.db: look_alikes/1 was altered or moved; restore a backup")

        monkeypatch.setattr(gallery.alike, "others", broken)
        roster.follow()
        assert roster.looks_alike(anna)


def test_until_everybody_was_compared_at_the_scores_of_the_doors_everybody_counts_as_a_look_alike(
    tmp_path: Path,
) -> None:
    levels = Levels(0.4, 0.5)
    with Gallery.open(tmp_path) as here, Gallery.open(tmp_path) as there:
        anna = enrol(here)
        roster = Roster(here, "cosine", "space")
        assert (roster.looks_alike(anna), roster.notices) == (False, ())
        roster.demand(levels)
        assert roster.looks_alike(anna)
        assert "gallery audit --flag" in roster.notices[0]
        there.compared.note("space", levels, there.changes())
        roster.follow()
        assert (roster.looks_alike(anna), roster.notices) == (False, ())
        there.add_template(anna, BERT, Origin(0.9, "bert.jpg", "build"))
        roster.follow()
        assert roster.looks_alike(anna)


def test_a_door_with_lower_scores_than_people_were_compared_at_asks_everybody(tmp_path: Path) -> None:
    with Gallery.open(tmp_path) as gallery:
        anna = enrol(gallery)
        gallery.compared.note("space", Levels(0.4, 0.5), gallery.changes())
        roster = Roster(gallery, "cosine", "space")
        for asked, is_known in ((Levels(0.4, 0.5), True), (Levels(0.4, 0.45), False), (None, True)):
            roster.demand(asked)
            assert roster.looks_alike(anna) is not is_known


@pytest.mark.parametrize("reloaded", [roster_module.RELOADED, 0])
def test_a_roster_says_whom_its_recogniser_knows(
    tmp_path: Path, reloaded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster_module, "RELOADED", reloaded)
    with Gallery.open(tmp_path) as gallery:
        anna = enrol(gallery)
        mine, other = Roster(gallery, "cosine", "space"), Roster(gallery, "cosine", "other")
        assert (mine.knows(anna), other.knows(anna)) == (True, False)
        assert (mine.covers(other), other.covers(mine)) == (True, False)
        assert Roster(gallery, "cosine", "space", like=mine).knows(anna)
        gallery.add_template(anna, Template(BERT.embedding, 1.0, "other"), Origin(0.9, "anna.jpg", "build"))
        other.follow()
        assert (other.knows(anna), other.covers(mine)) == (True, True)
        gallery.remove(next(iter(gallery.people())))
        mine.follow()
        assert (mine.knows(anna), mine.covers(other)) == (False, False)


def test_who_only_the_recogniser_before_knows_is_asked_for_more_where_that_has_compared_nobody(tmp_path: Path) -> None:
    with Gallery.open(tmp_path) as gallery:
        anna, bert = enrol(gallery), gallery.add_person("Bert").id
        gallery.add_template(bert, Template(BERT.embedding, 1.0, "other"), Origin(0.9, "bert.jpg", "build"))
        mine, before = Roster(gallery, "cosine", "space"), Roster(gallery, "cosine", "other")
        before.demand(Levels(0.4, 0.5))
        assert not mine.looks_alike(bert)
        mine.elder = before
        assert mine.looks_alike(bert)
        assert not mine.looks_alike(anna), "of whom the serving one knows it decides by itself"


def test_people_are_taken_over_with_a_search_and_never_older_than_it(tmp_path: Path) -> None:
    """Else whoever was enrolled in between would not be known until the gallery changes once more."""
    with Gallery.open(tmp_path) as gallery:
        first, people = Roster(gallery, "cosine", "space"), list[str]()

        class Followed:
            """That roster, which the main thread follows just when it has been asked for its people."""

            def __getattr__(self, name: str) -> object:
                found: object = getattr(first, name)
                if name == "_people":
                    people.append(enrol(gallery))
                    first.follow()
                return found

        second = Roster(gallery, "cosine", "space", like=cast(Roster, Followed()))
        second.follow()
        assert second.knows(people[0])
        assert second.identifier.identify(ANNA).person == people[0]
