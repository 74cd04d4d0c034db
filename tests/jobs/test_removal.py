"""Removal: nothing of a person is left in any file, the receipt tells, and it gives nothing away itself."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.gallery import parcel, rotate
from faceedge.gallery.base import Origin, Person
from faceedge.gallery.captured import Kept
from faceedge.gallery.proof import Prints, fingerprint, scan
from faceedge.gallery.rows import crop_to_png
from faceedge.gallery.store import Gallery
from faceedge.jobs import removal
from faceedge.jobs.backup import backup
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp
from faceedge.types import Image, Template

SPACE = "0123456789ab"
NAME = "Ada Zoë Lovelace"


def template(seed: int) -> Template:
    vector = np.random.default_rng(seed).normal(size=128).astype(np.float32)
    return Template(vector / np.linalg.norm(vector), 1.5, SPACE)


def crop(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (112, 112, 3), np.uint8)


def quiet(text: str, done: float) -> None:
    assert text
    assert 0 <= done <= 1


def enrol(gallery: Gallery, name: str, seeds: range, *, crops: bool = True) -> Person:
    person = gallery.add_person(name)
    for seed in seeds:
        gallery.add_template(person.id, template(seed), Origin(0.9, "holiday.jpg", "b"), crop(seed) if crops else None)
    return person


@pytest.fixture(autouse=True)
def _cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gallery(state: Path) -> Iterator[Gallery]:
    with Gallery.open(state) as opened:
        for number in range(8):
            enrol(opened, f"Other {number}", range(100 + 3 * number, 103 + 3 * number))
        yield opened


def everything(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())


def test_after_removal_no_file_holds_a_byte_of_the_person(gallery: Gallery, state: Path, tmp_path: Path) -> None:
    ada = enrol(gallery, NAME, range(3))
    with Chain.open(state) as chain:
        chain.append([Stamp().draft("note", {"person": ada.id})], seal=True)
    backup(state, state / "local.faceedge", "correct horse battery", quiet)
    sealed = gallery.sealed_cells(ada.id)
    assert all(cell[:64] in everything(state) for cell in sealed)
    receipt = removal.remove(gallery, ada, quiet)
    assert receipt.scan is not None
    assert receipt.scan.is_clean
    assert (receipt.templates, receipt.crops) == (3, 3)
    left = everything(state)
    pieces = [cell[at : at + 48] for cell in sealed for at in range(0, max(1, len(cell) - 48), 256)]
    pieces += [
        template(seed).embedding.astype(kind).tobytes()[:24] for seed in range(3) for kind in ("<f4", ">f4", "<f8")
    ]
    pieces += [crop_to_png(crop(seed))[64:112] for seed in range(3)] + [crop(seed).tobytes()[:48] for seed in range(3)]
    pieces += [NAME.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "latin-1")]
    pieces += [json.dumps(NAME).strip('"').encode(), b"Lovelace"]
    assert [piece for piece in pieces if piece in left] == []
    assert not (state / "local.faceedge").exists()
    assert receipt.backups == (str(state / "local.faceedge"),)
    assert len(gallery.people()) == 8


def captured(gallery: Gallery, person: str | None, seeds: range) -> list[Kept]:
    rows = [Kept(f"{person}-{seed}", person, 0, "arcface_112", "b", 0.7, 120.0, 0.5) for seed in seeds]
    gallery.captured.change([(row, crop(seed)) for row, seed in zip(rows, seeds, strict=True)], ())
    return rows


@pytest.mark.system
def test_after_removal_no_file_holds_a_captured_crop_of_the_person_nor_of_a_stranger(
    gallery: Gallery, state: Path
) -> None:
    other = gallery.people()[0]
    ada = enrol(gallery, NAME, range(1))
    rows = [*captured(gallery, ada.id, range(30)), *captured(gallery, None, range(30, 40))]
    (stays,) = captured(gallery, other.id, range(40, 41))
    cells = [cell for row in rows for cell in gallery.captured.cells(row)]
    (remains,) = gallery.captured.cells(stays)
    assert all(cell[:64] in everything(state) for cell in cells)
    receipt = removal.remove(gallery, ada, quiet)
    assert receipt.scan is not None
    assert receipt.scan.is_clean
    assert (receipt.templates, receipt.crops) == (1, 31)
    left = everything(state)
    pieces = [cell[at : at + 48] for cell in cells for at in range(0, len(cell) - 48, 4000)]
    pieces += [crop_to_png(crop(seed))[64:112] for seed in range(40)]
    assert [piece for piece in pieces if piece in left] == []
    assert remains[100:148] in left
    assert gallery.captured.kept() == [stays]


def test_a_copy_of_a_captured_crop_is_found(gallery: Gallery, state: Path) -> None:
    ada = enrol(gallery, NAME, range(1))
    rows = captured(gallery, ada.id, range(3))
    (cell,) = gallery.captured.cells(rows[1])
    (state / "sealed").write_bytes(os.urandom(1000) + cell[5000 : 5000 + 2079])
    (state / "png").write_bytes(crop_to_png(crop(2))[9000 : 9000 + 2079])
    (state / "pixels").write_bytes(os.urandom(10) + crop(0).tobytes()[3000 : 3000 + 2079])
    receipt = removal.remove(gallery, ada, quiet)
    assert receipt.scan is not None
    assert {found.path for found in receipt.scan.found} == {"sealed", "png", "pixels"}


@pytest.mark.system
def test_no_copy_is_left_where_rows_were_moved(state: Path) -> None:
    """SQLite moves rows between pages; what it leaves in a gap would be found, and the file rebuilt."""
    rng = np.random.default_rng(7)
    with Gallery.open(state) as gallery:
        for number in range(120):
            shots = range(1000 + 10 * number, 1000 + 10 * number + int(rng.integers(1, 5)))
            enrol(gallery, f"Person {number}", shots, crops=bool(rng.integers(0, 2)))
        people = gallery.people()
        for at in rng.permutation(len(people))[:12]:
            receipt = removal.remove(gallery, people[at], quiet)
            assert receipt.scan is not None
            assert receipt.scan.is_clean


def test_a_copy_somewhere_is_found_by_name_and_place(gallery: Gallery, state: Path) -> None:
    ada = enrol(gallery, NAME, range(2))
    cells = gallery.sealed_cells(ada.id)
    vector = next(cell for cell in cells if 500 < len(cell) < 600)
    picture = max(cells, key=len)
    (state / "logs").mkdir()
    (state / "logs" / "core.1").write_bytes(os.urandom(777) + vector[100:163] + b"x" * 10)
    (state / "logs" / "core.2").write_bytes(os.urandom(5_000_000) + picture[1000:1543])
    (state / "dump").write_bytes(b"." * 33 + template(1).embedding.tobytes()[5:68])
    receipt = removal.remove(gallery, ada, quiet)
    assert receipt.scan is not None
    assert not receipt.scan.is_clean
    assert {found.path for found in receipt.scan.found} == {"logs/core.1", "logs/core.2", "dump"}
    place = next(found.offset for found in receipt.scan.found if found.path == "dump")
    assert place == 33 - 5 + 32
    for name in ("logs/core.1", "logs/core.2", "dump"):
        (state / name).unlink()
    assert removal.verify(state, ada.id)[1].is_clean


def test_the_proof_can_fail(gallery: Gallery, state: Path) -> None:
    """Without secure_delete the bytes stay in freed pages, and the scan sees them."""
    ada = enrol(gallery, NAME, range(3))
    prints = fingerprint(gallery.sealed_cells(ada.id))
    gallery._tables.run("PRAGMA secure_delete = OFF")
    gallery.remove(ada)
    assert "gallery.db" in {found.path for found in scan(state, prints).found}
    gallery.vacuum()
    assert scan(state, prints).is_clean


def test_what_a_page_still_holds_makes_the_database_be_rebuilt(gallery: Gallery) -> None:
    ada = enrol(gallery, NAME, range(3))
    gallery._tables.run("PRAGMA secure_delete = OFF")
    receipt = removal.remove(gallery, ada, quiet)
    assert receipt.vacuumed
    assert receipt.scan is not None
    assert receipt.scan.is_clean


def test_a_backup_elsewhere_is_named_and_one_without_the_person_stays(
    gallery: Gallery, state: Path, tmp_path: Path
) -> None:
    backup(state, state / "before.faceedge", "correct horse battery", quiet)
    ada = enrol(gallery, NAME, range(1))
    backup(state, tmp_path / "stick.faceedge", "correct horse battery", quiet)
    backup(state, state / "with.faceedge", "correct horse battery", quiet)
    (state / "with.faceedge").rename(state / "renamed")
    receipt = removal.remove(gallery, ada, quiet)
    assert receipt.backups == (str(state / "renamed"),)
    assert receipt.elsewhere == (str(tmp_path / "stick.faceedge"),)
    assert (state / "before.faceedge").exists()
    assert (tmp_path / "stick.faceedge").exists()


def test_a_backup_nobody_can_look_into_goes(gallery: Gallery, state: Path) -> None:
    backup(state, state / "before.faceedge", "correct horse battery", quiet)
    rotate.rotate(state, data=True, given=None, progress=quiet)
    ada = enrol(gallery, NAME, range(1))
    assert removal.remove(gallery, ada, quiet).backups == (str(state / "before.faceedge"),)


@pytest.mark.system
def test_the_receipt_is_kept_private_and_gives_no_template_away(gallery: Gallery, state: Path) -> None:
    ada = enrol(gallery, NAME, range(3))
    values = list(removal._values(gallery, ada))
    removal.remove(gallery, ada, quiet)
    file = state / "receipts" / f"{ada.id}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(file.read_text())
    receipt = removal.Receipt.from_json(kept)
    assert receipt.as_json() == json.loads(json.dumps(kept)) | {
        "backups": receipt.backups, "elsewhere": receipt.elsewhere, "scan": receipt.as_json()["scan"],
    }  # fmt: skip
    raw = file.read_bytes() + b"".join(one for group in receipt.prints.windows.values() for one in group)
    assert NAME.encode() not in raw
    assert not [value for value in values for at in range(0, len(value) - 8, 8) if value[at : at + 8] in raw]
    # Of a plain template two bytes in 32 are kept: the low ends of mantissas.
    plain = template(0).embedding.tobytes()
    shown = {plain[at : at + 2] for at in range(0, len(plain), 32)}
    assert {one[:2] for one in receipt.prints.windows[32]} >= shown


def test_the_low_ends_of_mantissas_say_nothing_about_a_face() -> None:
    bits = template(0).embedding.view(np.uint32)
    other = (bits & np.uint32(0xFFFF0000) | np.uint32(0x5A5A)).view(np.float32)
    assert float(np.abs(other - template(0).embedding).max()) < 0.005


def test_a_receipt_is_read_from_a_file_or_by_id_and_nothing_else_is(
    gallery: Gallery, state: Path, tmp_path: Path
) -> None:
    ada = enrol(gallery, NAME, range(1))
    receipt = removal.remove(gallery, ada, quiet)
    printed = tmp_path / "printed.json"
    printed.write_text(json.dumps({"removed": {}, "receipt": receipt.as_json()}))
    for name in (ada.id, str(printed), str(state / "receipts" / f"{ada.id}.json")):
        assert removal.verify(state, name)[0].person == ada.id
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")
    for name in ("nobody", str(tmp_path / "other.json"), str(tmp_path / "list.json"), str(tmp_path / "broken.json")):
        with pytest.raises(BadInput):
            removal.verify(state, name)


def test_a_crash_in_a_removal_leaves_a_receipt_to_look_again_with(
    gallery: Gallery, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = enrol(gallery, NAME, range(1))
    monkeypatch.setattr(gallery, "empty_log", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        removal.remove(gallery, ada, quiet)
    receipt, looked = removal.verify(state, ada.id)
    assert receipt.scan is None
    assert not looked.is_clean, "the log still holds what was written"


def test_windows_that_lie_across_two_blocks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceedge.gallery import proof

    monkeypatch.setattr(proof, "BLOCK", 100)
    value = os.urandom(64)
    prints = fingerprint([value])
    for at in range(40, 120):
        (tmp_path / "file").write_bytes(b"\0" * at + value[:63] + b"\0" * 50)
        assert [found.offset for found in scan(tmp_path, prints).found] == [at]


def test_flat_parts_of_a_picture_are_not_found_everywhere(tmp_path: Path) -> None:
    prints = fingerprint([bytes(4096)])
    (tmp_path / "zeros").write_bytes(bytes(100_000))
    assert scan(tmp_path, prints).is_clean
    assert Prints.from_json(prints.as_json()) == prints


@pytest.mark.system
def test_a_thousand_windows_are_looked_for_in_100_megabytes_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(os.urandom(100_000_000))
    prints = fingerprint([os.urandom(600) for _ in range(50)])
    begin = time.perf_counter()
    assert scan(tmp_path, prints).bytes == 100_000_000
    taken_s = time.perf_counter() - begin
    assert taken_s < 20


def test_vacuum_is_done_when_asked_for(gallery: Gallery, state: Path) -> None:
    for number in range(5):
        ada = enrol(gallery, f"Big {number}", range(4))
    gallery.empty_log()
    before = (state / "gallery.db").stat().st_size
    assert removal.remove(gallery, ada, quiet, vacuum=True).vacuumed
    assert (state / "gallery.db").stat().st_size < before
    connection = sqlite3.connect(state / "gallery.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
