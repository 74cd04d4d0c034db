"""The gallery: what is stored comes back, to those with the key, and to nobody else; what is removed is gone."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput, StoreError
from faceedge.gallery.base import Origin, PeopleStore
from faceedge.gallery.schema import MIGRATIONS
from faceedge.gallery.store import Gallery
from faceedge.types import Template

SPACE = "0123456789ab"
ORIGIN = Origin(0.875, "holiday-snap.jpg", "ba9876543210")


def template(seed: int, norm: float = 1.5, space: str = SPACE, dimension: int = 128) -> Template:
    vector = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), norm, space)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gallery(state: Path) -> Iterator[Gallery]:
    with Gallery.open(state, clock=lambda: 1_700_000_000.9) as opened:
        yield opened


def everything(state: Path) -> bytes:
    """The bytes of all files of the state directory, without the key."""
    files = [path for path in state.rglob("*") if path.is_file() and path.name != "device.key"]
    return b"".join(path.read_bytes() for path in files)


def test_a_gallery_is_a_people_store(gallery: Gallery) -> None:
    store: PeopleStore = gallery
    assert store.people() == []


def test_a_person_is_found_by_exact_name_and_by_id(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada Lovelace")
    assert uuid.UUID(ada.id).version == 4
    assert ada.created == 1_700_000_000
    assert gallery.find("Ada Lovelace") == gallery.find(ada.id) == ada
    assert gallery.find("ada lovelace") is None
    assert gallery.find("") is None


def test_people_are_listed_by_name_with_their_templates(gallery: Gallery) -> None:
    for name in ("Zoe", "Ada"):
        person = gallery.add_person(name)
    gallery.add_template(person.id, template(1), ORIGIN)
    assert [(one.name, one.templates) for one in gallery.people()] == [("Ada", 1), ("Zoe", 0)]


@pytest.mark.parametrize(
    "name", ["", " Ada", "Ada\n", "\x1b[2J", "A" * 101, "a\u202eb", "6f1f3f0e-2c9e-4f3a-9d38-1d6f3f9c2b11"]
)
def test_a_name_that_could_mislead_is_refused(gallery: Gallery, name: str) -> None:
    with pytest.raises(BadInput):
        gallery.add_person(name)
    assert gallery.people() == []


def test_two_people_cannot_have_one_name_however_it_is_spelled(gallery: Gallery) -> None:
    gallery.add_person("Ren\u00e9e")
    with pytest.raises(BadInput, match="already"):
        gallery.add_person("Rene\u0301e")
    assert gallery.find("Rene\u0301e") is not None


def test_templates_come_back_as_they_were(gallery: Gallery) -> None:
    ada, bob = gallery.add_person("Ada"), gallery.add_person("Bob")
    gallery.add_template(ada.id, template(1, norm=1.25), ORIGIN)
    gallery.add_template(bob.id, template(2), ORIGIN)
    gallery.add_template(ada.id, template(3), ORIGIN)
    gallery.add_template(ada.id, template(4, space="another00000", dimension=64), ORIGIN)
    found = gallery.templates(SPACE)
    assert found.persons == (ada.id, bob.id, ada.id)
    assert found.embeddings.dtype == found.norms.dtype == np.float32
    assert np.array_equal(found.embeddings, np.stack([template(seed).embedding for seed in (1, 2, 3)]))
    assert found.norms.tolist() == [1.25, 1.5, 1.5]
    assert gallery.templates(SPACE, [bob.id]).persons == (bob.id,)
    assert gallery.templates("another00000").embeddings.shape == (1, 64)
    assert gallery.templates("nothing here").embeddings.shape == (0, 0)


def test_entries_tell_where_templates_came_from_and_crops_come_back(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada")
    crop = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
    gallery.add_template(ada.id, template(1), ORIGIN, crop)
    gallery.add_template(ada.id, template(2), ORIGIN)
    kept, bare = gallery.entries(ada.id)
    assert (kept.origin, kept.space, kept.dimension, kept.created) == (ORIGIN, SPACE, 128, 1_700_000_000)
    assert (kept.crop, bare.crop) == (True, False)
    assert np.array_equal(gallery.crop(ada.id, kept), crop)
    assert gallery.crop(ada.id, bare) is None


@pytest.mark.parametrize(
    "odd",
    [
        Template(np.full(8, math.nan, np.float32), 1.0, SPACE),
        Template(np.zeros(8, np.float32), 1.0, SPACE),
        Template(np.eye(8, dtype=np.float32)[0], math.inf, SPACE),
        Template(np.eye(8, dtype=np.float32)[0], 0.0, SPACE),
        Template(np.eye(8, dtype=np.float32)[:1], 1.0, SPACE),
    ],
)
def test_a_template_that_is_no_unit_vector_is_refused(gallery: Gallery, odd: Template) -> None:
    ada = gallery.add_person("Ada")
    with pytest.raises(BadInput, match="unit length"):
        gallery.add_template(ada.id, odd, ORIGIN)
    assert gallery.entries(ada.id) == []


def test_a_template_needs_a_person(gallery: Gallery) -> None:
    with pytest.raises(BadInput, match="enrol the person first"):
        gallery.add_template(str(uuid.uuid4()), template(1), ORIGIN)


def test_a_renamed_person_keeps_id_and_templates(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada")
    gallery.add_template(ada.id, template(1), ORIGIN)
    gallery.add_person("Bob")
    gallery.rename(ada, "Ada King")
    assert gallery.find("Ada") is None
    renamed = gallery.find("Ada King")
    assert renamed is not None
    assert (renamed.id, renamed.templates) == (ada.id, 1)
    with pytest.raises(BadInput, match="already"):
        gallery.rename(renamed, "Bob")


def test_a_removed_person_is_gone_and_the_name_is_free(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada")
    gallery.add_template(ada.id, template(1), ORIGIN)
    assert gallery.remove(ada) == 1
    assert gallery.people() == []
    assert gallery.find("Ada") is gallery.find(ada.id) is None
    assert gallery.templates(SPACE).persons == ()
    assert gallery.entries(ada.id) == []
    with pytest.raises(BadInput, match="no longer"):
        gallery.remove(ada)
    with pytest.raises(BadInput, match="no longer"):
        gallery.rename(ada, "Eve")
    assert gallery.add_person("Ada").id != ada.id


def test_a_tombstone_holds_nothing_but_ids_and_numbers(gallery: Gallery, state: Path) -> None:
    ada = gallery.add_person("Ada")
    gallery.add_template(ada.id, template(1), ORIGIN, np.zeros((8, 8, 3), np.uint8))
    before = gallery.changes()
    gallery.remove(ada)
    with sqlite3.connect(state / "gallery.db") as raw:
        assert raw.execute("SELECT tombstone, name, name_tag, revision FROM people").fetchall() == [
            (1, None, None, before + 1)
        ]
        assert raw.execute("SELECT tombstone, quality, source, vector, crop, revision FROM templates").fetchall() == [
            (1, None, None, None, None, before + 1)
        ]
    raw.close()


def test_removal_leaves_no_sealed_bytes_in_any_file(gallery: Gallery, state: Path) -> None:
    people = [gallery.add_person(f"Person {number}") for number in range(6)]
    crop = np.random.default_rng(0).integers(0, 255, (150, 150, 3), np.uint8)
    for number, person in enumerate(people):
        for shot in range(3):
            gallery.add_template(person.id, template(10 * number + shot), ORIGIN, crop)
    raw = sqlite3.connect(state / "gallery.db")
    target = people[2]
    rows = raw.execute("SELECT vector, crop, source FROM templates WHERE person_id = ?", (target.id,)).fetchall()
    names = raw.execute("SELECT name, name_tag FROM people WHERE id = ?", (target.id,)).fetchone()
    raw.close()
    # Pages of 4096 bytes cut long values into pieces, so pieces of 64 bytes are looked for.
    sealed = [*[column for row in rows for column in row], *names]
    pieces = [column[at : at + 64] for column in sealed for at in range(0, max(1, len(column) - 64), 512)]
    assert all(everything(state).count(piece) for piece in pieces[:3])
    gallery.remove(target)
    left = everything(state)
    assert [piece for piece in pieces if piece in left] == []
    assert len(gallery.people()) == 5


def test_a_stolen_database_tells_no_name_source_vector_or_picture(gallery: Gallery, state: Path) -> None:
    ada = gallery.add_person("Ada Lovelace")
    crop = np.zeros((32, 32, 3), np.uint8)
    one = template(1)
    gallery.add_template(ada.id, one, ORIGIN, crop)
    stolen = everything(state)
    assert len(stolen) > 1000
    for secret in (b"Ada", b"Lovelace", b"holiday", b".jpg", one.embedding.tobytes()[:16], b"\x89PNG", b"IHDR"):
        assert secret not in stolen


def test_without_the_key_nothing_opens(gallery: Gallery, state: Path) -> None:
    gallery.add_person("Ada")
    gallery.close()
    (state / "keys" / "device.key").unlink()
    with pytest.raises(StoreError, match="put back the key of this device") as refusal:
        Gallery.open(state)
    assert "\n" not in str(refusal.value)
    assert not (state / "keys" / "device.key").exists(), "a fresh key would hide that the old one is lost"


def test_another_key_does_not_open_it(gallery: Gallery, state: Path) -> None:
    gallery.close()
    (state / "keys" / "device.key").write_bytes(os.urandom(32))
    with pytest.raises(StoreError, match=r"does not open with \S+/keys/device\.key; put back"):
        Gallery.open(state)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(gallery: Gallery, state: Path, mode: int) -> None:
    gallery.close()
    (state / "keys" / "device.key").chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        Gallery.open(state)


def test_a_short_key_is_refused(gallery: Gallery, state: Path) -> None:
    gallery.close()
    (state / "keys" / "device.key").write_bytes(b"short")
    with pytest.raises(StoreError, match="is not a key of 32 bytes"):
        Gallery.open(state)


def test_files_are_private_from_the_start(gallery: Gallery, state: Path) -> None:
    gallery.add_person("Ada")
    files = [path for path in state.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"gallery.db", "gallery.db-wal", "gallery.db-shm", "device.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (state, state / "keys")} == {0o700}


SWAPS = [
    "UPDATE templates SET vector = (SELECT vector FROM templates AS other WHERE other.id <> templates.id)",
    "UPDATE templates SET person_id = (SELECT person_id FROM templates AS other WHERE other.id <> templates.id)",
    "UPDATE templates SET space = 'other space'",
    "UPDATE templates SET id = 'x' || id",
    "UPDATE templates SET vector = source",
]


@pytest.mark.parametrize("swap", SWAPS)
def test_swapped_rows_do_not_open(gallery: Gallery, state: Path, swap: str) -> None:
    for number, name in enumerate(("Ada", "Bob")):
        gallery.add_template(gallery.add_person(name).id, template(number), ORIGIN)
    with sqlite3.connect(state / "gallery.db") as raw:
        raw.execute(swap)
    raw.close()
    with pytest.raises(StoreError, match="was altered or moved"):
        gallery.templates("other space" if "other space" in swap else SPACE)


def test_swapped_names_do_not_open(gallery: Gallery, state: Path) -> None:
    gallery.add_person("Ada")
    gallery.add_person("Bob")
    with sqlite3.connect(state / "gallery.db") as raw:
        raw.execute("UPDATE people SET name = (SELECT name FROM people AS other WHERE other.id <> people.id)")
    raw.close()
    with pytest.raises(StoreError, match=r"people/.* was altered"):
        gallery.people()


def test_one_flipped_bit_does_not_open(gallery: Gallery, state: Path) -> None:
    ada = gallery.add_person("Ada")
    gallery.add_template(ada.id, template(1), ORIGIN)
    with sqlite3.connect(state / "gallery.db") as raw:
        (vector,) = raw.execute("SELECT vector FROM templates").fetchone()
        raw.execute("UPDATE templates SET vector = ?", (vector[:-1] + bytes([vector[-1] ^ 1]),))
    raw.close()
    with pytest.raises(StoreError, match="altered"):
        gallery.templates(SPACE)


def test_a_failed_transaction_leaves_nothing(gallery: Gallery) -> None:
    before = gallery.changes()

    def fail() -> None:
        with gallery.transaction():
            ada = gallery.add_person("Ada")
            gallery.add_template(ada.id, template(1), ORIGIN)
            raise BadInput("no")

    with pytest.raises(BadInput, match="no"):
        fail()
    assert gallery.people() == []
    assert gallery.templates(SPACE).persons == ()
    assert gallery.changes() == before
    gallery.add_person("Ada")


def test_every_change_is_noticed_by_another_process_and_reading_is_none(gallery: Gallery, state: Path) -> None:
    with Gallery.open(state) as other:
        seen = [other.changes()]
        ada = gallery.add_person("Ada")
        seen.append(other.changes())
        gallery.add_template(ada.id, template(1), ORIGIN)
        seen.append(other.changes())
        gallery.rename(ada, "Ada King")
        seen.append(other.changes())
        assert other.people()[0].templates == 1
        gallery.remove(ada)
        seen.append(other.changes())
        assert seen == sorted(set(seen))
        gallery.people()
        gallery.templates(SPACE)
        assert other.changes() == seen[-1]


def test_a_transaction_is_one_change(gallery: Gallery) -> None:
    before = gallery.changes()
    with gallery.transaction():
        ada = gallery.add_person("Ada")
        gallery.add_template(ada.id, template(1), ORIGIN)
    assert gallery.changes() == before + 1


WRITER = """
import sys
from pathlib import Path
import numpy as np
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.types import Template
vector = np.eye(8, dtype=np.float32)[0]
with Gallery.open(Path(sys.argv[1])) as gallery:
    for number in range(25):
        with gallery.transaction():
            person = gallery.add_person(f"{sys.argv[2]} {number}")
            gallery.add_template(person.id, Template(vector, 1.0, "space0000000"), Origin(1.0, "x", "build"))
"""


def test_processes_that_meet_in_an_empty_folder_all_write(state: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(state), name], stderr=subprocess.PIPE, text=True)
        for name in ("first", "second", "third")
    ]
    for writer in writers:
        _, complaints = writer.communicate(timeout=60)
        assert writer.returncode == 0, complaints
    with Gallery.open(state) as gallery:
        assert len(gallery.people()) == 75
        assert len(gallery.templates("space0000000").persons) == 75
        assert gallery.changes() == 75


def test_readers_go_on_while_somebody_writes(gallery: Gallery, state: Path) -> None:
    with Gallery.open(state) as other, gallery.transaction():
        gallery.add_person("Ada")
        assert other.people() == []


def test_the_same_gallery_opens_again(gallery: Gallery, state: Path) -> None:
    gallery.add_template(gallery.add_person("Ada").id, template(1), ORIGIN)
    gallery.close()
    gallery.close()
    with Gallery.open(state) as again:
        assert [person.name for person in again.people()] == ["Ada"]
        assert len(again.templates(SPACE).persons) == 1


def test_a_gallery_belongs_to_one_thread(gallery: Gallery) -> None:
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            gallery.people()
        except StoreError as error:
            caught.append(error)

    thread = threading.Thread(target=ask, name="stranger")
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_a_file_that_is_no_database_is_refused_by_name(state: Path) -> None:
    state.mkdir()
    (state / "gallery.db").write_bytes(b"certainly not a database, but long enough to look at" * 40)
    with pytest.raises(StoreError, match=r"gallery\.db: .*restore a backup"):
        Gallery.open(state)


def test_a_damaged_page_is_refused_by_name(gallery: Gallery, state: Path) -> None:
    for number in range(40):
        gallery.add_template(gallery.add_person(f"Person {number}").id, template(number), ORIGIN)
    gallery.close()
    path = state / "gallery.db"
    content = bytearray(path.read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    path.write_bytes(content)

    def read_all() -> None:
        with Gallery.open(state) as opened:
            opened.people()
            opened.templates(SPACE)

    with pytest.raises(StoreError, match="restore a backup"):
        read_all()


def test_the_next_version_is_still_read_and_a_far_later_one_is_not(gallery: Gallery, state: Path) -> None:
    gallery.add_person("Ada")
    gallery.close()
    for version, is_read in ((len(MIGRATIONS) + 1, True), (len(MIGRATIONS) + 2, False)):
        with sqlite3.connect(state / "gallery.db") as raw:
            raw.execute("ALTER TABLE people ADD COLUMN later TEXT") if is_read else None
            raw.execute(f"PRAGMA user_version = {version}")
        raw.close()
        if is_read:
            with Gallery.open(state) as opened:
                assert opened.find("Ada") is not None
                opened.add_person("Bob")
        else:
            with pytest.raises(StoreError, match="later version of faceedge"):
                Gallery.open(state)


def test_a_folder_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="FACEEDGE_STATE to a folder of your own"):
        Gallery.open(tmp_path / "file")


def test_a_copy_with_its_key_opens_elsewhere(gallery: Gallery, state: Path, tmp_path: Path) -> None:
    gallery.add_person("Ada")
    gallery.close()
    shutil.copytree(state, tmp_path / "copy")
    with Gallery.open(tmp_path / "copy") as copy:
        assert copy.find("Ada") is not None


def test_who_must_not_wait_long_for_the_database_does_not(gallery: Gallery, state: Path) -> None:
    gallery.wait_at_most(0.05)
    with closing(sqlite3.connect(state / "gallery.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreError, match="another process is writing"):
            gallery.add_person("Ada")
        assert time.monotonic() - began < 3
