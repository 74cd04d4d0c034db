"""Sightings in the gallery: sealed, bound to their person, few, for a while, and gone with whom they show."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import StoreError
from faceedge.gallery import parcel, rotate
from faceedge.gallery.base import Person
from faceedge.gallery.captured import DAY_S
from faceedge.gallery.rows import crop_to_png
from faceedge.gallery.sightings import DAYS, MOST, Sighting
from faceedge.gallery.store import Gallery
from faceedge.jobs import removal
from faceedge.jobs.backup import backup
from faceedge.jobs.restore import restore
from faceedge.types import Image

NOW = 20_000.5 * DAY_S


def quiet(_text: str, _done: float) -> None:
    return None


def picture(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (112, 112, 3), np.uint8)


@pytest.fixture
def ada(gallery: Gallery) -> Person:
    return gallery.add_person("Ada")


def only(gallery: Gallery, person: Person) -> Sighting:
    (one,) = gallery.sightings.of(person.id)
    return one


def test_a_sighting_comes_back_to_the_pixel_and_tells_no_hour(gallery: Gallery, ada: Person) -> None:
    assert gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    one = only(gallery, ada)
    assert (one.person, one.created, one.quality) == (ada.id, 20_000 * DAY_S, 0.7)
    assert np.array_equal(gallery.sightings.crop(one), picture(1))  # type: ignore[arg-type]


def test_the_newest_of_a_person_stay(gallery: Gallery, ada: Person) -> None:
    bob = gallery.add_person("Bob")
    gallery.sightings.add(bob.id, picture(99), 0.9, NOW)
    for seed in range(MOST + 2):
        gallery.sightings.add(ada.id, picture(seed), seed / 10, NOW)
    assert [one.quality for one in gallery.sightings.of(ada.id)] == [seed / 10 for seed in range(2, MOST + 2)]
    assert len(gallery.sightings.of(bob.id)) == 1


def test_nobody_who_follows_the_gallery_is_disturbed(gallery: Gallery, ada: Person) -> None:
    before = gallery.changes()
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    assert gallery.changes() == before


def test_sightings_grow_old(gallery: Gallery, ada: Person) -> None:
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    assert gallery.sightings.expire(NOW + (DAYS - 1) * DAY_S) == 0
    assert gallery.sightings.expire(NOW + (DAYS + 1) * DAY_S) == 1


def test_a_sighting_in_the_row_of_another_person_does_not_open(gallery: Gallery, ada: Person, state: Path) -> None:
    bob = gallery.add_person("Bob")
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    with closing(sqlite3.connect(state / "gallery.db")) as raw:
        raw.execute("UPDATE sightings SET person_id = ?", (bob.id,))
        raw.commit()
    with pytest.raises(StoreError, match="altered"):
        gallery.sightings.crop(only(gallery, bob))


def test_no_pixel_lies_in_the_clear(gallery: Gallery, ada: Person, state: Path) -> None:
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    written = b"".join(path.read_bytes() for path in state.iterdir() if path.is_file())
    assert crop_to_png(picture(1))[100:140] not in written
    assert picture(1).tobytes()[:40] not in written


def test_a_sighting_goes_with_its_person_and_can_be_proved_gone(gallery: Gallery, ada: Person) -> None:
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    (cell,) = gallery.sightings.cells(ada.id)
    assert cell in gallery.sealed_cells(ada.id)
    receipt = removal.remove(gallery, ada, quiet)
    assert (receipt.crops, receipt.scan is not None and receipt.scan.is_clean) == (1, True)
    assert gallery.sightings.all() == []
    assert not gallery.sightings.add(ada.id, picture(2), 0.7, NOW)


def test_a_rotation_of_the_key_seals_sightings_anew(gallery: Gallery, ada: Person, state: Path) -> None:
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    before = gallery.sightings.cells(ada.id)
    rotate.rotate(state, data=True, given=None, progress=quiet)
    assert gallery.sightings.cells(ada.id) != before
    assert np.array_equal(gallery.sightings.crop(only(gallery, ada)), picture(1))  # type: ignore[arg-type]


def test_no_sighting_goes_into_a_backup(
    gallery: Gallery, ada: Person, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)
    gallery.sightings.add(ada.id, picture(1), 0.7, NOW)
    backup(state, tmp_path / "all.parcel", "a long passphrase", quiet)
    restore(tmp_path / "all.parcel", tmp_path / "other", "a long passphrase", quiet)
    with Gallery.open(tmp_path / "other") as other:
        assert (other.sightings.all(), len(other.people())) == ([], 1)
