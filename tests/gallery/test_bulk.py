"""Templates come out of the database batch by batch, in order, and only those that were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import StoreError
from faceedge.gallery import tables
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.types import Template

SPACE = "0123456789ab"


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    """Read two rows at a time."""
    monkeypatch.setattr(tables, "BATCH", 2)
    with Gallery.open(tmp_path) as opened:
        yield opened


def add(gallery: Gallery, person: str, axis: int, dimension: int = 8, space: str = SPACE) -> None:
    vector = np.eye(dimension, dtype=np.float32)[axis]
    gallery.add_template(person, Template(vector, 1.0 + axis, space), Origin(0.9, "photo", "build"))


def test_rows_of_many_batches_keep_their_order_and_their_owners(gallery: Gallery) -> None:
    people = [gallery.add_person(name).id for name in ("Ada", "Bob", "Eve")]
    for axis in range(7):
        add(gallery, people[axis % 3], axis)
        add(gallery, people[axis % 3], axis, space="another")
    found = gallery.templates(SPACE)
    assert found.persons == tuple(people[axis % 3] for axis in range(7))
    assert (found.embeddings == np.eye(8, dtype=np.float32)[:7]).all()
    assert found.norms.tolist() == [1.0 + axis for axis in range(7)]
    some = gallery.templates(SPACE, {people[1]})
    assert (some.persons, some.norms.tolist()) == ((people[1],) * 2, [2.0, 5.0])
    assert gallery.templates(SPACE, ()).persons == ()


def test_who_was_touched_is_who_came_went_or_lost_a_template(gallery: Gallery) -> None:
    ada, bob, eve = (gallery.add_person(name) for name in ("Ada", "Bob", "Eve"))
    for person in (ada, bob, eve):
        add(gallery, person.id, 0)
        add(gallery, person.id, 1)
    seen = gallery.changes()
    assert gallery.touched(SPACE, seen) == set()
    gallery.remove(ada)
    gallery.remove_template(bob.id, gallery.entries(bob.id)[0].id)
    add(gallery, eve.id, 2, space="another")
    assert gallery.touched(SPACE, seen) == {ada.id, bob.id}


def test_a_space_with_templates_of_two_lengths_is_refused(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada").id
    for axis in range(3):
        add(gallery, ada, axis)
    add(gallery, ada, 3, dimension=16)
    with pytest.raises(StoreError, match="different lengths"):
        gallery.templates(SPACE)
