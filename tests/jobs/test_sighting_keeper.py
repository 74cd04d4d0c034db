"""What the door keeps of people who are to be enrolled again: little, apart, and never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.gallery.base import Person
from faceedge.gallery.captured import DAY_S
from faceedge.gallery.sightings import DAYS
from faceedge.gallery.store import Gallery
from faceedge.jobs.sighting_keeper import APART_S, SightingKeeper
from faceedge.types import Assessment, Face, Shot

TODAY = 21_000 * DAY_S
NOW = TODAY + 40_000.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gallery(state: Path) -> Iterator[Gallery]:
    with Gallery.open(state) as opened:
        yield opened


@pytest.fixture
def ada(gallery: Gallery) -> Person:
    return gallery.add_person("Ada")


def shot(captured: float) -> Shot:
    marks = np.zeros((5, 2), np.float32)
    face = Face(np.array([0, 0, 100, 100], np.float32), 0.9, marks)
    return Shot("main", 1, 1, captured, face, np.full((112, 112, 3), 9, np.uint8), Assessment(0.8))


def kept(state: Path, person: Person, *captured: float, now: float = NOW, room: int = 1 << 40) -> SightingKeeper:
    keeper = SightingKeeper(state, lambda: now, lambda: room)
    keeper.start()
    for moment in captured:
        keeper.offer(shot(moment), person.id)
    keeper.stop()
    return keeper


def test_a_sighting_is_kept_sealed_by_the_time_it_stops(gallery: Gallery, ada: Person, state: Path) -> None:
    assert kept(state, ada, 5.0).as_json() == {"on": True, "kept": 1, "dropped": 0}
    assert [one.person for one in gallery.sightings.all()] == [ada.id]


def test_of_one_visit_one_is_enough(gallery: Gallery, ada: Person, state: Path) -> None:
    assert kept(state, ada, 5.0, 6.0, 5.0 + APART_S, 6.0 + APART_S).kept == 2


def test_where_the_clock_is_not_set_none_is_kept(gallery: Gallery, ada: Person, state: Path) -> None:
    assert kept(state, ada, 5.0, now=1000.0).kept == 0


def test_the_last_room_of_a_disk_is_left_to_the_journal(gallery: Gallery, ada: Person, state: Path) -> None:
    assert kept(state, ada, 5.0, room=1000).kept == 0


def test_old_ones_go_without_anybody_coming(gallery: Gallery, ada: Person, state: Path) -> None:
    gallery.sightings.add(ada.id, shot(0.0).crop, 0.8, NOW - (DAYS + 1) * DAY_S)
    gallery.sightings.add(ada.id, shot(0.0).crop, 0.8, NOW)
    kept(state, ada)
    assert [one.created for one in gallery.sightings.all()] == [TODAY]


def test_a_gallery_that_cannot_be_used_ends_it_and_nothing_else(
    state: Path, gallery: Gallery, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.close()
    (state / "gallery.db").write_bytes(b"no database" * 100)
    keeper = kept(state, ada, 5.0)
    keeper.offer(shot(1000.0), ada.id)
    assert (keeper.is_on, ada.id in caplog.text) == (False, False)
