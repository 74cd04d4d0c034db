"""Backup and restore: what comes back is what was there, and a damaged file restores nothing at all."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceedge import lockdown
from faceedge.door import site_key
from faceedge.errors import BadInput, FaceedgeError, StoreError
from faceedge.gallery import ledger, parcel, rotate
from faceedge.gallery.base import Origin
from faceedge.gallery.search import Index
from faceedge.gallery.store import Gallery
from faceedge.jobs.backup import backup
from faceedge.jobs.removal import remove
from faceedge.jobs.restore import Restored, restore
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp
from faceedge.models.place import scratch_folder
from faceedge.types import Template

SPACE = "0123456789ab"
PHRASE = "correct horse battery staple"
CROP = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)


@pytest.fixture(autouse=True)
def _cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)


def template(seed: int) -> Template:
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), 1.5, SPACE)


def quiet(text: str, done: float) -> None:
    assert text
    assert 0 <= done <= 1


def enrol(state: Path, people: int = 5) -> None:
    with Gallery.open(state) as gallery:
        for number in range(people):
            person = gallery.add_person(f"Person {number}")
            gallery.add_template(person.id, template(number), Origin(0.9, "x.jpg", "build"), CROP)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A board with people, a journal, a door key and a model."""
    state = tmp_path / "old" / "state"
    enrol(state)
    with Chain.open(state) as chain:
        chain.append([Stamp().draft("note", {"number": number}) for number in range(20)], seal=True)
    door = state / "keys" / "door-main.main.key"
    door.write_text("a door key")
    door.chmod(0o600)
    (state / "models" / "net" / "1").mkdir(parents=True)
    (state / "models" / "net" / "1" / "model.onnx").write_bytes(os.urandom(200_000))
    return state


def backed_up(state: Path, target: Path, *, models: bool = False) -> Path:
    backup(state, target, PHRASE, quiet, models=models)
    return target


def restored(source: Path, state: Path, *, phrase: str = PHRASE, force: bool = False) -> Restored:
    return restore(source, state, phrase, quiet, force=force)


def search(state: Path) -> list[list[tuple[str, float]]]:
    with Gallery.open(state) as gallery:
        index = Index.of(gallery.templates(SPACE), "cosine")
        return [index.nearest(template(seed)) for seed in range(7)]


def journal(state: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(state / "journal.db")
    rows = connection.execute("SELECT * FROM entries ORDER BY seq").fetchall()
    connection.close()
    return rows


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_after_a_restore_everything_is_as_before(state: Path, tmp_path: Path) -> None:
    file = backed_up(state, tmp_path / "b.faceedge", models=True)
    new = tmp_path / "new" / "state"
    done = restored(file, new)
    assert (done.people, done.templates, done.doors) == (5, 5, ())
    assert search(new) == search(state)
    assert journal(new) == journal(state)
    model = "models/net/1/model.onnx"
    assert (new / model).read_bytes() == (state / model).read_bytes()
    with Gallery.open(new) as gallery, Gallery.open(state) as old:
        assert gallery.people() == old.people()
        person = gallery.people()[0]
        (entry,) = gallery.entries(person.id)
        assert np.array_equal(gallery.crop(person.id, entry), CROP)
    with Chain.open(new) as chain:
        chain.append([Stamp().draft("note", {})])


def test_a_model_that_is_just_being_added_is_not_in_the_backup(state: Path, tmp_path: Path) -> None:
    with scratch_folder(state) as scratch:
        (scratch / "model.onnx").write_bytes(b"half of it")
        file = backed_up(state, tmp_path / "b.faceedge", models=True)
    new = tmp_path / "new"
    restored(file, new)
    assert [name for name in files(new) if name.startswith("models")] == ["models/net/1/model.onnx"]


def test_the_new_board_has_a_device_key_of_its_own_and_no_door_keys(state: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert restored(backed_up(state, tmp_path / "b.faceedge"), new).new_key == new / "keys" / "device.key"
    assert sorted(path.name for path in (new / "keys").iterdir()) == ["device.key", "journal.key", "journal.pub"]
    assert (new / "keys" / "device.key").read_bytes() != (state / "keys" / "device.key").read_bytes()
    assert {stat.S_IMODE(path.stat().st_mode) for path in new.rglob("*.key")} == {0o600}
    assert not (new / "models").exists(), "only with --models"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_the_new_board_has_stays(state: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / "keys").mkdir(parents=True, mode=0o700)
    (new / "keys" / "device.key").write_bytes(bytes(range(32)))
    (new / "keys" / "door-main.main.key").write_text("of the new board")
    (new / "engines").mkdir()
    (new / "engines" / "plan").write_text("built here")
    for path in (new / "keys").iterdir():
        path.chmod(0o600)
    done = restored(backed_up(state, tmp_path / "b.faceedge"), new)
    assert done.doors == ("door-main.main.key",)
    assert done.new_key is None
    assert (new / "keys" / "door-main.main.key").read_text() == "of the new board"
    assert (new / "keys" / "device.key").read_bytes() == bytes(range(32))
    assert (new / "engines" / "plan").read_text() == "built here"
    assert search(new) == search(state)


def test_who_was_removed_since_the_backup_is_named_when_they_come_back(state: Path, tmp_path: Path) -> None:
    with Gallery.open(state) as gallery:
        before, since, _, _, _ = gallery.people()
        remove(gallery, before, quiet)
        file = backed_up(state, tmp_path / "b.faceedge")
        remove(gallery, since, quiet)
    assert restored(file, state, force=True).back == (since.id,)
    with Gallery.open(state) as gallery:
        remove(gallery, since, quiet)
        assert since.id not in [person.id for person in gallery.people()]


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_a_restore_lifts_no_lockdown_whatever_it_is_made_of(
    state: Path, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = backed_up(state, tmp_path / "b.faceedge")
    make(state / "lockdown")
    restored(file, state, force=True)
    assert lockdown.is_on(state)


def test_a_lockdown_that_is_switched_on_while_a_restore_runs_holds(state: Path, tmp_path: Path) -> None:
    file = backed_up(state, tmp_path / "b.faceedge")

    def lock(text: str, _done: float) -> None:
        if text == "moving":
            lockdown.switch(state, True)

    restore(file, state, PHRASE, lock, force=True)
    assert lockdown.is_on(state)


def test_a_lockdown_is_not_in_a_backup(state: Path, tmp_path: Path) -> None:
    lockdown.switch(state, True)
    restored(backed_up(state, tmp_path / "b.faceedge"), tmp_path / "new")
    assert not lockdown.is_on(tmp_path / "new")


def test_a_restore_brings_no_site_key_back_that_was_removed(state: Path, tmp_path: Path) -> None:
    gone, kept = (site_key.make_secret(tmp_path / name) for name in ("gone", "kept"))
    site_key.trust(state, gone)
    file = backed_up(state, tmp_path / "b.faceedge")
    site_key.remove(state, gone.kid)
    site_key.trust(state, kept)
    restored(file, state, force=True)
    assert site_key.trusted(state) == (kept,)


def test_a_state_with_databases_is_replaced_only_by_force(state: Path, tmp_path: Path) -> None:
    file = backed_up(state, tmp_path / "b.faceedge")
    other = tmp_path / "other"
    enrol(other, 2)
    before = files(other)
    with pytest.raises(BadInput, match=r"holds gallery\.db already; --force"):
        restored(file, other)
    assert files(other) == before
    assert restored(file, other, force=True).people == 5
    assert search(other) == search(state)


def test_a_backup_holds_neither_names_nor_keys_in_the_clear(state: Path, tmp_path: Path) -> None:
    content = backed_up(state, tmp_path / "b.faceedge").read_bytes()
    assert stat.S_IMODE((tmp_path / "b.faceedge").stat().st_mode) == 0o600
    with Gallery.open(state) as gallery:
        ids = [person.id.encode() for person in gallery.people()]
    device, door = (state / "keys" / "device.key").read_bytes(), b"a door key"
    for secret in (b"Person", b"SQLite", b"gallery.db", template(1).embedding.tobytes()[:16], device, door, *ids):
        assert secret not in content


def test_a_backup_keeps_nothing_of_people_removed_before(state: Path, tmp_path: Path) -> None:
    with Gallery.open(state) as gallery:
        person = gallery.people()[0]
        cells = gallery.sealed_cells(person.id)
        gallery.remove(person)
    restored(backed_up(state, tmp_path / "b.faceedge"), tmp_path / "new")
    left = b"".join(files(tmp_path / "new").values())
    assert not [cell for cell in cells if cell[:64] in left]


def damages(content: bytes) -> dict[str, bytes]:
    head = content.index(b"\n", 20) + 1
    middle = head + (len(content) - head) // 2
    chunk = parcel.CHUNK + parcel.TAG
    return {
        "empty": b"",
        "only the line": content[:head],
        "cut by one byte": content[:-1],
        "cut between chunks": content[: head + parcel.TAG + chunk],
        "cut in the middle": content[:middle],
        "bit in the middle": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "bit at the end": content[:-1] + bytes([content[-1] ^ 1]),
        "bit in the salt": content.replace(b'"salt":"', b'"salt":"0', 1).replace(b'"}\n', b"}\n", 1),
        "other date": content.replace(b'"made":1', b'"made":2', 1),
        "two chunks swapped": content[: head + 16]
        + content[head + 16 + chunk : head + 16 + 2 * chunk]
        + content[head + 16 : head + 16 + chunk]
        + content[head + 16 + 2 * chunk :],
        "something appended": content + b"x",
        "endless scrypt": content.replace(b'"scrypt_n":16', b'"scrypt_n":1099511627776', 1),
        "no backup": b"certainly not a backup",
    }


DAMAGES = sorted(damages(b"faceedge-parcel-1\n" + b"{}\n" + bytes(100)))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_restores_nothing(state: Path, tmp_path: Path, damage: str) -> None:
    enrol(state, people=0)
    whole = backed_up(state, tmp_path / "b.faceedge", models=True).read_bytes()
    damaged = damages(whole)[damage]
    assert damaged != whole
    file = tmp_path / "damaged"
    file.write_bytes(damaged)
    with pytest.raises(BadInput, match="damaged") as refusal:
        restored(file, tmp_path / "new")
    assert "\n" not in str(refusal.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.faceedge", "damaged", "old"]


def test_a_wrong_passphrase_restores_nothing(state: Path, tmp_path: Path) -> None:
    file = backed_up(state, tmp_path / "b.faceedge")
    with pytest.raises(BadInput, match="wrong passphrase"):
        restored(file, tmp_path / "new", phrase=PHRASE + " ")
    assert not (tmp_path / "new").exists()


def test_a_backup_whose_database_is_damaged_restores_nothing(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup.__globals__["_copy_database"]

    def spoil(path: Path, folder: Path) -> None:
        copy(path, folder)
        content = bytearray((folder / path.name).read_bytes())
        content[4096 * 3 : 4096 * 5] = bytes(4096 * 2)
        (folder / path.name).write_bytes(content)

    monkeypatch.setitem(backup.__globals__, "_copy_database", spoil)
    try:
        file = backed_up(state, tmp_path / "b.faceedge")
    except FaceedgeError:
        return  # told while it was made: even better
    with pytest.raises(StoreError, match=r"restore a backup|damaged in the backup"):
        restored(file, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_failure_to_rename_leaves_the_old_state(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = backed_up(state, tmp_path / "b.faceedge")
    before = files(state)
    real = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".restore-" in self.name:
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match="No space left"):
        restored(file, state, force=True)
    assert files(state) == before
    assert [path.name for path in state.parent.iterdir()] == ["state"]


def test_a_photo_is_not_overwritten_and_an_old_backup_is(state: Path, tmp_path: Path) -> None:
    photo = tmp_path / "ada.jpg"
    photo.write_bytes(b"\xff\xd8 a photo")
    with pytest.raises(BadInput, match="exists and is no backup of ours"):
        backed_up(state, photo)
    assert photo.read_bytes() == b"\xff\xd8 a photo"
    first = backed_up(state, tmp_path / "b.faceedge").read_bytes()
    assert backed_up(state, tmp_path / "b.faceedge").read_bytes() != first


def test_a_backup_that_fails_leaves_no_file(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(backup.__globals__, "_add", fail)
    with pytest.raises(BadInput, match="No space left"):
        backed_up(state, tmp_path / "b.faceedge")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert not (state / ".backup").exists()


def test_nothing_to_back_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to back up"):
        backed_up(tmp_path, tmp_path / "b.faceedge")


def test_every_backup_is_remembered_with_the_people_in_it(state: Path, tmp_path: Path) -> None:
    file = backed_up(state, tmp_path / "b.faceedge")
    with Gallery.open(state) as gallery:
        ada, bob = gallery.people()[0], gallery.add_person("New")
        (copy,) = ledger.read(state)
        assert copy.path == str(file)
        assert copy.may_hold(ada.id, gallery.vault)
        assert not copy.may_hold(bob.id, gallery.vault)
        assert ada.id not in (state / "backups.jsonl").read_text()
    rotate.rotate(state, data=True, given=None, progress=quiet)
    with Gallery.open(state) as gallery:
        assert copy.may_hold(bob.id, gallery.vault), "under other keys nobody can tell, so it may"


WRITER = """
import sys
import numpy as np
from pathlib import Path
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.types import Template
number = 0
with Gallery.open(Path(sys.argv[1])) as gallery:
    while True:
        number += 1
        if number == 7:
            print("somebody is written", flush=True)
        with gallery.transaction():
            person = gallery.add_person(f"writer {number}")
            for shot in range(2):
                vector = np.random.default_rng(number).normal(size=128).astype(np.float32)
                template = Template(vector / np.linalg.norm(vector), 1.0, "0123456789ab")
                gallery.add_template(person.id, template, Origin(0.9, "x", "build"))
        if number % 5 == 0:
            gallery.remove(person)
"""


def test_a_backup_while_another_process_writes_is_of_one_moment(state: Path, tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        copies = [backed_up(state, tmp_path / f"{number}.faceedge") for number in range(3)]
        assert writer.poll() is None, "it wrote all the time"
    finally:
        writer.kill()
        writer.communicate()
    sizes = []
    for number, file in enumerate(copies):
        restored(file, tmp_path / f"new{number}")
        with Gallery.open(tmp_path / f"new{number}") as gallery:
            written = [person for person in gallery.people() if person.name.startswith("writer")]
            assert {person.templates for person in written} <= {2}, "never half a person"
            sizes.append(len(written))
    assert sizes == sorted(sizes)
    assert sizes[0] > 0
