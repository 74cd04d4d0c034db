"""Keys: where they come from, how they are replaced while others read, and what a thief without them gets."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput, StoreError
from faceedge.gallery import devicekey, rotate, vault
from faceedge.gallery.base import Origin
from faceedge.gallery.sealed import NOT_SEALED, SEALED, blob_columns
from faceedge.gallery.store import Gallery
from faceedge.rules.book import Standing
from faceedge.rules.schedule import Schedule, Window
from faceedge.types import Template

SPACE = "0123456789ab"
ORIGIN = Origin(0.875, "holiday-snap.jpg", "ba9876543210")
CROP = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def template(seed: int) -> Template:
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), 1.5, SPACE)


def quiet(text: str, done: float) -> None:
    assert text
    assert 0 <= done <= 1


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with three people, of whom one stands in a group that a rule names."""
    state = tmp_path / "state"
    with Gallery.open(state) as gallery:
        for number, name in enumerate(("Ada Lovelace", "Grace Hopper", "Karen Jones")):
            person = gallery.add_person(name)
            for shot in range(2):
                gallery.add_template(person.id, template(10 * number + shot), ORIGIN, CROP)
        staff = gallery.access.add_group("staff", is_always=True)
        gallery.access.join(person.id, staff)
        gallery.access.set_standing(person.id, Standing(blocked=True))
        gallery.access.add_rule(staff, "main", Schedule((Window.parse("mon-fri 08:00-18:00"),), "Europe/Berlin"))
    return state


def contents(gallery: Gallery) -> list[object]:
    """Everything that is sealed, opened."""
    people = gallery.people()
    rows = gallery.templates(SPACE)
    crops = [gallery.crop(person.id, entry) for person in people for entry in gallery.entries(person.id)]
    assert all(np.array_equal(crop, CROP) for crop in crops if crop is not None)
    assert all(gallery.find(person.name) == person for person in people)
    groups = [gallery.access.group("staff")]
    return [people, rows.persons, rows.embeddings.tobytes(), rows.norms.tobytes(), len(crops), gallery.book(), groups]


def seen(state: Path) -> list[object]:
    with Gallery.open(state) as gallery:
        return contents(gallery)


def wrapped(state: Path) -> list[tuple[int, bytes]]:
    connection = sqlite3.connect(state / "gallery.db")
    found = connection.execute("SELECT number, wrapped FROM data_keys").fetchall()
    connection.close()
    return found


def rotated(state: Path, *, data: bool = False, given: Path | None = None) -> rotate.Rotated:
    return rotate.rotate(state, data=data, given=given, progress=quiet)


@pytest.mark.parametrize("data", [False, True])
def test_after_a_rotation_everything_opens_and_nothing_with_the_old_key(
    state: Path, tmp_path: Path, data: bool
) -> None:
    before, old = seen(state), (state / "keys" / "device.key").read_bytes()
    ((number, old_wrapped),) = wrapped(state)
    done = rotated(state, data=data)
    assert seen(state) == before
    assert (state / "keys" / "device.key").read_bytes() != old
    assert [path.name for path in (state / "keys").iterdir()] == ["device.key"]
    ((new_number, new_wrapped),) = wrapped(state)
    assert (new_number, done.data_key) == (number + data, number + data)
    with pytest.raises(StoreError):
        vault.unwrap(new_wrapped, old)
    everything = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert old_wrapped not in everything, "a thief of the old key would need the old wrapping"


def test_a_new_data_key_seals_every_column_anew(state: Path) -> None:
    def cells() -> dict[tuple[str, str, str], bytes]:
        connection = sqlite3.connect(state / "gallery.db")
        found = {
            (column.table, column.name, key): cell
            for column in SEALED
            for key, cell in connection.execute(
                f"SELECT id, {column.name} FROM {column.table} WHERE {column.name} IS NOT NULL"
            )
        }
        connection.close()
        return found

    before = cells()
    assert rotated(state, data=True).cells == len(before)
    after = cells()
    assert after.keys() == before.keys()
    assert {table for table, _, _ in before} >= {"people", "templates", "groups", "memberships", "rules"}
    assert not set(after.values()) & set(before.values())
    left = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert [place for place, cell in before.items() if cell[-16:] in left] == []


def test_every_sealed_column_of_the_schema_is_known_to_the_rotation(state: Path) -> None:
    connection = sqlite3.connect(state / "gallery.db")
    declared = set(blob_columns(connection))
    connection.close()
    tags = {(column.table, f"{column.name}_tag") for column in SEALED if column.tag}
    assert declared == NOT_SEALED | tags | {(column.table, column.name) for column in SEALED}


def test_a_database_with_sealed_columns_of_a_later_version_is_not_rotated(state: Path) -> None:
    connection = sqlite3.connect(state / "gallery.db")
    connection.execute("ALTER TABLE people ADD COLUMN voice BLOB")
    connection.commit()
    connection.close()
    before = seen(state)
    with pytest.raises(StoreError, match=r"people\.voice is of a later version"):
        rotated(state, data=True)
    assert seen(state) == before


def test_who_has_the_gallery_open_goes_on_after_a_rotation(state: Path) -> None:
    with Gallery.open(state) as gallery, Gallery.open(state) as other:
        before, changes = contents(gallery), gallery.changes()
        rotated(state, data=True)
        assert other.find("Ada Lovelace") is not None, "a name is looked up under the new key"
        assert contents(gallery) == before
        assert gallery.changes() > changes
        rotated(state, data=True)
        gallery.add_template(gallery.add_person("Mary").id, template(99), ORIGIN)
        assert other.find("Mary") is not None
    assert len(seen(state)[0]) == 4


def test_a_row_that_does_not_open_stops_the_rotation_and_nothing_changes(state: Path) -> None:
    connection = sqlite3.connect(state / "gallery.db")
    connection.execute("UPDATE templates SET source = vector WHERE rowid = 6")
    connection.commit()
    connection.close()
    key, before = (state / "keys" / "device.key").read_bytes(), wrapped(state)
    with pytest.raises(StoreError, match="was altered or moved"):
        rotated(state, data=True)
    assert ((state / "keys" / "device.key").read_bytes(), wrapped(state)) == (key, before)
    Gallery.open(state).close()
    assert not devicekey.fresh_path(state).exists(), "the key that was never used is gone"


@pytest.mark.parametrize("step", ["install", "_store"])
def test_a_rotation_cut_short_leaves_a_readable_gallery(
    state: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = seen(state)

    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(devicekey if step == "install" else rotate, step, crash)
        with pytest.raises(Crash):
            rotated(state, data=True)
    assert devicekey.fresh_path(state).exists()
    assert seen(state) == before
    assert [path.name for path in (state / "keys").iterdir()] == ["device.key"], "finished, or forgotten"
    assert seen(state) == before


ROTATE_FOR_EVER = """
import sys
from pathlib import Path
from faceedge.gallery import rotate
print("ready", flush=True)
while True:
    rotate.rotate(Path(sys.argv[1]), data=True, given=None, progress=lambda text, done: None)
"""


@pytest.mark.parametrize("point", range(10))
@pytest.mark.system
def test_kill_9_in_a_rotation_leaves_a_readable_gallery(state: Path, point: int) -> None:
    before, first = seen(state), wrapped(state)[0][0]
    process = subprocess.Popen([sys.executable, "-c", ROTATE_FOR_EVER, str(state)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1 + random.random() * 0.1)  # that it falls anywhere is what is tested
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert wrapped(state)[0][0] > first, "it was killed among rotations, not before"
    assert seen(state) == before


def test_a_credential_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials, state = tmp_path / "credentials", tmp_path / "state"
    credentials.mkdir()
    (credentials / devicekey.CREDENTIAL).write_bytes(os.urandom(32))
    (credentials / devicekey.CREDENTIAL).chmod(0o440)  # as systemd makes it for a service with a user
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with Gallery.open(state) as gallery:
        gallery.add_person("Ada")
    assert not (state / "keys").exists(), "no second key lies about"
    with Gallery.open(state) as gallery:
        assert gallery.find("Ada") is not None
    with pytest.raises(BadInput, match="systemd-creds replaces; see --key"):
        rotated(state)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(StoreError, match="put back the key of this device"):
        Gallery.open(state)


def test_a_key_of_the_wrong_size_in_a_credential_is_refused(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / devicekey.CREDENTIAL).write_bytes(b"short")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(StoreError, match="is not a key of 32 bytes"):
        Gallery.open(state)


def test_the_key_moves_from_the_file_to_a_credential(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(state)
    given = tmp_path / devicekey.CREDENTIAL
    given.write_bytes(os.urandom(32))
    given.chmod(0o600)
    assert rotated(state, given=given).device_key == given
    assert not (state / "keys" / "device.key").exists()
    with pytest.raises(StoreError):
        Gallery.open(state)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert seen(state) == before


def test_a_credential_that_does_not_fit_leaves_the_file_in_charge(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(state)
    (tmp_path / devicekey.CREDENTIAL).write_bytes(os.urandom(32))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert seen(state) == before


def test_erased_keys_open_nothing_and_no_new_key_hides_it(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "key-that-a-thief-had"
    shutil.copy(state / "keys" / "device.key", copy)
    assert rotate.erase(state) == [state / "keys" / "device.key"]
    with pytest.raises(StoreError, match="put back the key of this device"):
        Gallery.open(state)
    shutil.copy(copy, state / "keys" / "device.key")
    with pytest.raises(StoreError, match="put back the key it was made with"):
        Gallery.open(state)
    assert rotate.erase(state) == [state / "keys" / "device.key"]
    assert rotate.erase(tmp_path / "nothing") == []


def entropy_bits(content: bytes) -> float:
    """Shannon entropy of its bytes, at most 8."""
    counts = np.array(list(Counter(content).values()))
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def test_a_stolen_state_directory_without_the_key_tells_nothing(state: Path, tmp_path: Path) -> None:
    stolen = tmp_path / "stolen"
    shutil.copytree(state, stolen, ignore=shutil.ignore_patterns("device.key"))
    loot = b"".join(path.read_bytes() for path in stolen.rglob("*") if path.is_file())
    words = ("Ada ", "Lovelace", "Grace", "Hopper", "Karen", "holiday", ".jpg", "staff", "mon-fri", "Berlin", "main")
    for word in words:
        spellings = {word.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")}
        assert not [spelling for spelling in spellings if spelling in loot], word
    for seed in (0, 1, 10, 11, 20, 21):
        vector = template(seed).embedding
        assert vector.tobytes()[:16] not in loot
        assert vector.astype(">f4").tobytes()[:16] not in loot
    assert b"\x89PNG\r\n" not in loot
    assert CROP.tobytes()[:32] not in loot
    connection = sqlite3.connect(stolen / "gallery.db")
    for column in SEALED:
        cells = connection.execute(f"SELECT {column.name} FROM {column.table} WHERE {column.name} IS NOT NULL")
        sealed = b"".join(cell[1:] for (cell,) in cells)
        if sealed:  # as random as random bytes of that length are, less a little luck
            expected = min(8.0, math.log2(len(sealed)))
            assert entropy_bits(sealed) > 0.85 * expected - 0.1, (column.table, column.name)
    connection.close()
    with pytest.raises(StoreError, match="put back the key of this device"):
        Gallery.open(stolen).templates(SPACE)
    (stolen / "keys" / "device.key").write_bytes(os.urandom(32))
    (stolen / "keys" / "device.key").chmod(0o600)
    with pytest.raises(StoreError, match="does not open"):
        Gallery.open(stolen).templates(SPACE)


def test_the_entropy_test_would_notice_what_is_not_sealed() -> None:
    assert entropy_bits(template(1).embedding.astype("<f4").tobytes()) < 0.9 * 8 - 0.1
    assert entropy_bits(os.urandom(512)) > 0.9 * 8 - 0.1
