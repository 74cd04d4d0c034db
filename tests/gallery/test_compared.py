"""Whether everybody has been compared with everybody: durable, sealed, and void when people came another way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import StoreError
from faceedge.gallery import rotate, schema
from faceedge.gallery.base import Levels, Origin
from faceedge.gallery.schema import MIGRATIONS
from faceedge.gallery.store import Gallery
from faceedge.types import Template

LEVELS = Levels(0.4, 0.6)


def enrol(gallery: Gallery, name: str, space: str = "space") -> str:
    person = gallery.find(name) or gallery.add_person(name)
    gallery.add_template(person.id, Template(np.eye(4, dtype=np.float32)[0], 1.0, space), Origin(0.9, "a", "build"))
    return person.id


def test_where_nobody_is_nobody_is_left_to_compare(gallery: Gallery) -> None:
    assert gallery.compared.reaches("space", LEVELS)
    enrol(gallery, "Ada", "another")
    assert gallery.compared.reaches("space", LEVELS)
    assert not gallery.compared.reaches("another", LEVELS)


def test_a_gallery_that_compares_from_the_first_person_on_is_complete(gallery: Gallery) -> None:
    for name in ("Ada", "Bob"):
        with gallery.transaction():
            enrol(gallery, name)
            gallery.compared.extend("space", LEVELS)
    assert gallery.compared.reaches("space", LEVELS)


def test_one_that_has_had_people_before_is_not_until_all_were_compared(gallery: Gallery) -> None:
    enrol(gallery, "Ada")
    with gallery.transaction():
        enrol(gallery, "Bob")
        gallery.compared.extend("space", LEVELS)
    assert not gallery.compared.reaches("space", LEVELS)
    gallery.compared.note("space", LEVELS, gallery.changes())
    assert gallery.compared.reaches("space", LEVELS)


def test_whoever_was_compared_with_stricter_scores_than_the_rest_was_not_compared(gallery: Gallery) -> None:
    with gallery.transaction():
        enrol(gallery, "Ada")
        gallery.compared.extend("space", LEVELS)
    with gallery.transaction():
        enrol(gallery, "Bob")
        gallery.compared.extend("space", Levels(0.4, 0.7))
    assert not gallery.compared.reaches("space", LEVELS)


def test_who_came_while_everybody_was_compared_counts_as_not_compared(gallery: Gallery) -> None:
    enrol(gallery, "Ada")
    seen = gallery.changes()
    enrol(gallery, "Bob")
    gallery.compared.note("space", LEVELS, seen)
    assert not gallery.compared.reaches("space", LEVELS)


def test_a_rotation_of_the_keys_takes_it_along(gallery: Gallery, state: Path) -> None:
    enrol(gallery, "Ada")
    gallery.compared.note("space", LEVELS, gallery.changes())
    gallery.close()
    rotate.rotate(state, data=True, given=None, progress=lambda _text, _done: None)
    with Gallery.open(state) as rotated:
        assert rotated.compared.wanted("space") == LEVELS


@pytest.mark.parametrize(
    ("forgery", "space"), [("SET id = 'another'", "another"), ("SET body = zeroblob(60)", "space")]
)
def test_what_was_moved_or_made_up_is_refused(gallery: Gallery, state: Path, forgery: str, space: str) -> None:
    gallery.compared.note("space", LEVELS, 1)
    with closing(sqlite3.connect(state / "gallery.db")) as raw, raw:
        assert raw.execute(f"UPDATE compared {forgery}").rowcount == 1
    with pytest.raises(StoreError, match=rf"compared/{space} was altered or moved"):
        gallery.compared.reaches(space, LEVELS)


def test_whom_the_version_before_enrols_is_noticed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:5])
        with Gallery.open(state) as first, first.transaction():
            enrol(first, "Ada")
            first.compared.extend("space", LEVELS)
        patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:4])
        with Gallery.open(state) as older:
            enrol(older, "Bob")
    with Gallery.open(state) as newer:
        assert not newer.compared.reaches("space", LEVELS)
