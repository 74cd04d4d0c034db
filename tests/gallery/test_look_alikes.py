"""Pairs of look-alikes in the gallery: symmetric, durable, sealed, gone with either of the two."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput, StoreError
from faceedge.gallery import rotate, schema
from faceedge.gallery.base import Likeness, Origin
from faceedge.gallery.schema import MIGRATIONS
from faceedge.gallery.store import Gallery
from faceedge.types import Template

NEAR = Likeness("enrolment", 0.5, "space")


def twins(gallery: Gallery) -> tuple[str, str]:
    return gallery.add_person("Ada").id, gallery.add_person("Eve").id


def test_a_pair_is_one_whichever_of_the_two_is_asked_about_and_outlives_the_process(
    gallery: Gallery, state: Path
) -> None:
    ada, eve = twins(gallery)
    assert gallery.alike.note(ada, eve, NEAR)
    assert not gallery.alike.note(eve, ada, NEAR)
    gallery.close()
    with Gallery.open(state) as again:
        (pair,) = again.alike.pairs(eve)
        assert (pair.other(eve), pair.other(ada), pair.likeness) == (ada, eve, NEAR)
        assert again.book().look_alikes == {ada: {eve}, eve: {ada}}


def test_whoever_reads_the_gallery_learns_of_it(gallery: Gallery) -> None:
    ada, eve = twins(gallery)
    before = gallery.changes()
    gallery.alike.mark(ada, eve)
    assert gallery.changes() > before


def test_a_cleared_pair_counts_no_more_until_it_comes_nearer(gallery: Gallery) -> None:
    ada, eve = twins(gallery)
    gallery.alike.note(ada, eve, NEAR)
    gallery.alike.clear(ada, eve, "sisters of unlike age")
    assert gallery.book().look_alikes == {}
    assert not gallery.alike.note(ada, eve, NEAR)
    assert gallery.book().look_alikes == {}
    (pair,) = gallery.alike.pairs(ada)
    assert pair.likeness.cleared == "sisters of unlike age"
    assert gallery.alike.note(ada, eve, Likeness("enrolment", 0.6, "space"))
    assert gallery.book().look_alikes == {ada: {eve}, eve: {ada}}


def test_what_another_recogniser_measures_flags_a_cleared_pair_anew(gallery: Gallery) -> None:
    ada, eve = twins(gallery)
    gallery.alike.note(ada, eve, NEAR)
    gallery.alike.clear(ada, eve, "no")
    assert gallery.alike.note(ada, eve, Likeness("audit", 0.3, "another"))
    assert gallery.book().look_alikes


def test_marks_and_clearings_that_say_nothing_are_refused(gallery: Gallery) -> None:
    ada, eve = twins(gallery)
    with pytest.raises(BadInput, match="their own"):
        gallery.alike.mark(ada, ada)
    with pytest.raises(BadInput, match="not flagged"):
        gallery.alike.clear(ada, eve, "no")
    gallery.alike.mark(ada, eve)
    with pytest.raises(BadInput, match="already"):
        gallery.alike.mark(eve, ada)
    for reason in ("", " ", "two\nlines", "x" * 201):
        with pytest.raises(BadInput, match="say why"):
            gallery.alike.clear(ada, eve, reason)


def test_nobody_is_flagged_with_somebody_who_is_gone(gallery: Gallery) -> None:
    ada, eve = twins(gallery)
    person = gallery.find(eve)
    assert person
    gallery.remove(person)
    with pytest.raises(BadInput, match="no longer"):
        gallery.alike.mark(ada, eve)


def test_a_pair_goes_with_either_of_the_two_and_leaves_a_tombstone_without_content(
    gallery: Gallery, state: Path
) -> None:
    ada, eve = twins(gallery)
    gallery.alike.mark(ada, eve)
    (cell,) = gallery.alike.cells(eve)
    assert cell in gallery.sealed_cells(eve)
    person = gallery.find(eve)
    assert person
    gallery.remove(person)
    assert gallery.book().look_alikes == {}
    with closing(sqlite3.connect(state / "gallery.db")) as raw:
        ((tombstone, body, revision),) = raw.execute("SELECT tombstone, body, revision FROM look_alikes")
    assert (tombstone, body, revision) == (1, None, gallery.changes())
    assert cell not in (state / "gallery.db").read_bytes()


def test_after_a_template_has_gone_only_what_still_holds_is_kept(gallery: Gallery) -> None:
    ada, eve = twins(gallery)
    bob, cyd, dan = (gallery.add_person(name).id for name in ("Bob", "Cyd", "Dan"))
    for other in (eve, bob):
        gallery.alike.note(ada, other, NEAR)
    gallery.alike.mark(ada, cyd)
    gallery.alike.note(ada, dan, Likeness("audit", 0.4, "another"))
    assert gallery.alike.settle(ada, "space", {bob: 0.45}) == [eve]
    assert gallery.book().look_alikes[ada] == {bob, cyd, dan}
    kept = gallery.alike.find(ada, bob)
    assert kept
    assert kept.likeness.similarity == 0.45


def test_what_one_recogniser_sees_no_more_is_kept_while_another_may_see_it(gallery: Gallery) -> None:
    """A pair remembers the space it was measured in last; both have templates of another as well."""
    ada, eve = twins(gallery)
    for person in (ada, eve):
        for space in ("space", "another"):
            template = Template(np.eye(4, dtype=np.float32)[0], 1.0, space)
            gallery.add_template(person, template, Origin(0.9, "photo", "build"))
    gallery.alike.note(ada, eve, NEAR)
    gallery.alike.note(ada, eve, Likeness("audit", 0.4, "another"))
    assert gallery.alike.settle(ada, "another", {}) == []
    assert gallery.book().look_alikes == {ada: {eve}, eve: {ada}}


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE look_alikes SET person_id = (SELECT min(id) FROM people WHERE id NOT IN (person_id, other_id))",
        "UPDATE look_alikes SET body = zeroblob(60)",
    ],
)
def test_a_pair_that_was_moved_or_made_up_is_refused(gallery: Gallery, state: Path, forgery: str) -> None:
    people = sorted(gallery.add_person(name).id for name in ("Ada", "Bob", "Eve"))
    gallery.alike.mark(people[1], people[2])
    with closing(sqlite3.connect(state / "gallery.db")) as raw, raw:
        assert raw.execute(forgery).rowcount == 1
    with pytest.raises(StoreError, match=r"look_alikes/.* was altered or moved"):
        gallery.book()


def test_a_rotation_of_the_keys_takes_pairs_along(gallery: Gallery, state: Path) -> None:
    ada, eve = twins(gallery)
    gallery.alike.note(ada, eve, NEAR)
    gallery.close()
    rotate.rotate(state, data=True, given=None, progress=lambda _text, _done: None)
    with Gallery.open(state) as rotated:
        assert rotated.book().look_alikes == {ada: {eve}, eve: {ada}}


def test_the_version_before_reads_the_gallery_and_what_it_removes_is_gone_from_pairs(
    gallery: Gallery, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, eve = twins(gallery)
    gallery.alike.mark(ada, eve)
    gallery.close()
    monkeypatch.setattr(schema, "MIGRATIONS", MIGRATIONS[:-1])
    with Gallery.open(state) as older:
        assert len(older.people()) == 2
    with closing(sqlite3.connect(state / "gallery.db")) as raw, raw:
        raw.execute("UPDATE people SET tombstone = 1, name = NULL, name_tag = NULL, revision = 9 WHERE id = ?", (eve,))
    monkeypatch.undo()
    with Gallery.open(state) as newer:
        assert newer.alike.pairs() == []
