"""Captured crops in the gallery: sealed, bound to their row, rotated, erased, and unknown to backups and followers."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import StoreError
from faceedge.gallery import parcel, rotate, schema
from faceedge.gallery.captured import DAY_S, Kept
from faceedge.gallery.rows import crop_to_png, png_to_crop
from faceedge.gallery.schema import MIGRATIONS
from faceedge.gallery.store import Gallery
from faceedge.jobs.backup import backup
from faceedge.jobs.restore import restore
from faceedge.types import Image

TODAY = 20_000 * DAY_S


def quiet(_text: str, _done: float) -> None:
    return None


def picture(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (112, 112, 3), np.uint8)


def kept(person: str | None = None, created: int = TODAY) -> Kept:
    return Kept(str(uuid.uuid4()), person, created, "arcface_112", "ba9876543210", 0.7, 120.0, 0.5)


def store(gallery: Gallery, *people: str | None, created: int = TODAY) -> list[Kept]:
    """One crop of each, with its place as the picture."""
    rows = [kept(person, created) for person in people]
    gallery.captured.change([(one, picture(at)) for at, one in enumerate(rows)], ())
    return rows


def seen(gallery: Gallery, one: Kept) -> Image | None:
    png = gallery.captured.png(one)
    return None if png is None else png_to_crop(png)


def everything(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())


def test_a_crop_comes_back_pixel_by_pixel_and_lies_nowhere_in_plain(gallery: Gallery, state: Path) -> None:
    ada = gallery.add_person("Ada")
    rows = store(gallery, ada.id, None)
    assert gallery.captured.kept() == rows
    for at, one in enumerate(rows):
        assert np.array_equal(seen(gallery, one), picture(at))
        assert crop_to_png(picture(at))[64:96] not in everything(state)


def test_a_crop_opens_neither_for_another_person_nor_in_another_row(gallery: Gallery, state: Path) -> None:
    ada, bob = gallery.add_person("Ada"), gallery.add_person("Bob")
    one, other = store(gallery, ada.id, bob.id)
    with closing(sqlite3.connect(state / "gallery.db")) as raw, raw:
        raw.execute("UPDATE captures SET person_id = ? WHERE id = ?", (bob.id, one.id))
        raw.execute(
            "UPDATE captures SET crop = (SELECT crop FROM captures WHERE id = ?) WHERE id = ?", (one.id, other.id)
        )
    for row in gallery.captured.kept():
        with pytest.raises(StoreError, match=f"captures/{row.id} was altered"):
            gallery.captured.png(row)


def test_storing_crops_makes_nobody_load_the_gallery_anew(gallery: Gallery) -> None:
    before = gallery.changes()
    rows = store(gallery, None, None)
    gallery.captured.change((), [rows[0].id])
    gallery.captured.expire(TODAY, 30)
    assert gallery.captured.erase() == 1
    assert gallery.changes() == before


def test_a_crop_of_somebody_removed_meanwhile_is_left_out(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada")
    gallery.remove(ada)
    late = [(kept(ada.id), picture(0)), (kept("nobody at all"), picture(1)), (kept(), picture(2))]
    assert gallery.captured.change(late, ()) == 1
    assert [one.person for one in gallery.captured.kept()] == [None]


def test_a_person_goes_with_their_crops_and_with_those_of_strangers(gallery: Gallery) -> None:
    """Among the strangers may be pictures on which the person was not recognised."""
    ada, bob = gallery.add_person("Ada"), gallery.add_person("Bob")
    rows = store(gallery, ada.id, bob.id, None)
    gallery.rename(ada, "Ada Lovelace")
    assert gallery.captured.kept() == rows
    gallery.remove(ada)
    assert gallery.captured.kept() == [rows[1]]


def test_what_is_too_old_or_from_the_future_is_erased_to_the_last_byte(gallery: Gallery, state: Path) -> None:
    old, future = store(gallery, None, created=TODAY - 31 * DAY_S), store(gallery, None, created=TODAY + 2 * DAY_S)
    edge, young = store(gallery, None, created=TODAY - 30 * DAY_S), store(gallery, None)
    cells = [cell for row in (*old, *future) for cell in gallery.captured.cells(row)]
    assert all(cell[100:200] in everything(state) for cell in cells)
    assert gallery.captured.expire(TODAY, 30) == 2
    gallery.captured.empty_log()
    assert gallery.captured.kept() == [*edge, *young]
    left = everything(state)
    assert [cell for cell in cells if any(cell[at : at + 48] in left for at in range(0, len(cell), 512))] == []


def test_a_crop_lives_no_day_too_long(gallery: Gallery) -> None:
    """Its midnight counts, so with 30 days it goes after 29 to 30."""
    store(gallery, None)
    assert gallery.captured.expire(TODAY + 30 * DAY_S, 30) == 0
    assert gallery.captured.expire(TODAY + 30 * DAY_S + 1, 30) == 1


def test_a_rotation_seals_crops_anew_and_no_old_one_is_left(gallery: Gallery, state: Path) -> None:
    ada = gallery.add_person("Ada")
    rows = store(gallery, ada.id, None)
    before = [cell for one in rows for cell in gallery.captured.cells(one)]
    rotate.rotate(state, data=True, given=None, progress=quiet)
    assert all(np.array_equal(seen(gallery, one), picture(at)) for at, one in enumerate(rows))
    left = everything(state)
    assert [cell for cell in before if any(cell[at : at + 48] in left for at in range(0, len(cell), 512))] == []


def test_without_the_keys_no_crop_opens(gallery: Gallery, state: Path) -> None:
    store(gallery, None)
    gallery.close()
    rotate.erase(state)
    with pytest.raises(StoreError):
        Gallery.open(state)


def test_crops_go_into_no_backup(
    gallery: Gallery, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They age, and backups do not."""
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)
    gallery.add_person("Ada")
    without = backup(state, tmp_path / "without", "correct horse battery", quiet).bytes
    store(gallery, *[None] * 10)
    made = backup(state, tmp_path / "with", "correct horse battery", quiet)
    assert made.bytes < without + 10_000
    assert len(gallery.captured.kept()) == 10
    shutil.rmtree(state)
    restore(tmp_path / "with", state, "correct horse battery", quiet)
    with Gallery.open(state) as restored:
        assert (len(restored.people()), restored.captured.kept()) == (1, [])


def test_a_gallery_of_the_version_before_is_backed_up_as_it_is(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)
    monkeypatch.setattr(schema, "MIGRATIONS", MIGRATIONS[:2])
    with Gallery.open(state) as older:
        older.add_person("Ada")
    assert backup(state, tmp_path / "older", "correct horse battery", quiet).people == 1


def test_the_version_before_reads_the_gallery_and_removes_crops_with_people(
    gallery: Gallery, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = gallery.add_person("Ada"), gallery.add_person("Bob")
    _, remains, _ = store(gallery, ada.id, bob.id, None)
    gallery.close()
    monkeypatch.setattr(schema, "MIGRATIONS", MIGRATIONS[:-1])
    with Gallery.open(state) as older:
        assert older.remove(ada) == 0
    monkeypatch.undo()
    with Gallery.open(state) as newer:
        assert newer.captured.kept() == [remains]
