"""`vault`, `backup`, `restore`, `gallery` and `people remove` as a person uses them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from faceedge.gallery import parcel
from tests.cli.conftest import Run
from tests.fakes.vision import Sitter, save


@pytest.fixture(autouse=True)
def _cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "SCRYPT_N", 1 << 4)


@pytest.fixture
def phrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def state(run: Run, tmp_path: Path) -> Path:
    """Ada and Bob."""
    for person, name in ((1, "Ada"), (2, "Bob")):
        assert run("enroll", name, save(tmp_path / f"{name}.png", Sitter(person))).code == 0
    return tmp_path / "state"


def names(run: Run) -> list[str]:
    return [person["name"] for person in run("people", "list", "--json").document["people"]]


def test_keys_rotate_and_people_stay(run: Run, state: Path) -> None:
    old = (state / "keys" / "device.key").read_bytes()
    answer = run("vault", "rotate", "--json")
    assert (answer.code, answer.document["data_key"], answer.document["sealed_anew"]) == (0, 1, 0)
    answer = run("vault", "rotate", "--data")
    assert "new data key: number 2" in answer.out
    assert (state / "keys" / "device.key").read_bytes() != old
    assert names(run) == ["Ada", "Bob"]


def test_erase_wants_to_be_sure(run: Run, state: Path) -> None:
    refusal = run("vault", "erase")
    assert (refusal.code, refusal.out) == (2, "")
    assert "--yes" in refusal.err
    assert names(run) == ["Ada", "Bob"]
    assert run("vault", "erase", "--yes").code == 0
    refusal = run("people", "list")
    assert refusal.code == 2
    assert "put back the key" in refusal.err
    assert "\n" not in refusal.err


def test_a_backup_comes_back_on_a_new_board(run: Run, state: Path, phrase: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.faceedge"
    made = run("backup", file, "--passphrase-file", phrase, "--json").document
    assert (made["path"], made["people"]) == (str(file), 2)
    refusal = run("restore", file, "--passphrase-file", phrase)
    assert refusal.code == 2
    assert "--force" in refusal.err
    shutil.rmtree(state)
    answer = run("restore", file, "--passphrase-file", phrase)
    assert answer.code == 0
    assert "make new ones with faceedge door add" in answer.out
    assert f"New device key: {state / 'keys' / 'device.key'}" in answer.out
    assert names(run) == ["Ada", "Bob"]
    gone = run("people", "remove", "Ada", "--json").document["receipt"]["person"]
    answer = run("restore", file, "--force", "--passphrase-file", phrase)
    assert f"Removed, and back now: {gone};" in answer.out
    assert "New device key" not in answer.out
    assert run("people", "remove", gone).code == 0
    assert names(run) == ["Bob"]
    document = run("restore", file, "--passphrase-file", phrase, "--to", tmp_path / "other", "--json").document
    assert (document["people"], document["templates"], document["door_keys_needed"]) == (2, 2, True)


@pytest.mark.parametrize(
    ("text", "mode", "why"), [("short", 0o600, "too short"), ("long enough, open", 0o644, "chmod")]
)
def test_a_bad_passphrase_file_is_refused(
    run: Run, state: Path, tmp_path: Path, text: str, mode: int, why: str
) -> None:
    file = tmp_path / "p"
    file.write_text(text)
    file.chmod(mode)
    answer = run("backup", tmp_path / "b.faceedge", "--passphrase-file", file)
    assert answer.code == 2
    assert why in answer.err
    assert not (tmp_path / "b.faceedge").exists()


def test_a_passphrase_may_come_from_a_credential(
    run: Run, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "faceedge-backup-passphrase").write_text("correct horse battery staple\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert run("backup", tmp_path / "b.faceedge").code == 0
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    answer = run("backup", tmp_path / "b.faceedge")
    assert answer.code == 2
    assert "--passphrase-file" in answer.err


def test_people_move_to_another_door(
    run: Run, state: Path, phrase: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "staff.faceedge"
    ids = {person["name"]: person["id"] for person in run("people", "list", "--json").document["people"]}
    run("people", "set", "Bob", "--valid-until", "2026-12-31")
    assert run("gallery", "export", file, "--passphrase-file", phrase).code == 2
    assert run("gallery", "export", file, "Eve", "--passphrase-file", phrase).code == 2
    answer = run("gallery", "export", file, "--all", "--passphrase-file", phrase, "--json")
    assert answer.document["people"] == [ids["Ada"], ids["Bob"]]
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "elsewhere"))
    people = run("gallery", "import", file, "--passphrase-file", phrase, "--json").document["people"]
    assert [(one["id"], one["new"], one["added"], one["unchecked"]) for one in people] == [
        (ids["Ada"], True, 1, 0),
        (ids["Bob"], True, 1, 0),
    ]
    assert run("people", "show", "Bob", "--json").document["valid_until"].startswith("2027-01-01")
    again = run("gallery", "import", file, "--passphrase-file", phrase)
    assert "Ada was here: 0 templates added" in again.out


def test_removal_prints_a_receipt_and_looks_again(run: Run, state: Path, phrase: Path, tmp_path: Path) -> None:
    run("backup", state / "local.faceedge", "--passphrase-file", phrase)
    run("backup", tmp_path / "stick.faceedge", "--passphrase-file", phrase)
    person = run("people", "show", "Ada", "--json").document["id"]
    answer = run("people", "remove", "Ada")
    assert answer.code == 0
    assert "1 template and 1 picture erased" in answer.out
    assert f"deleted with them: {state / 'local.faceedge'}" in answer.out
    assert f"out of reach, delete it yourself: {tmp_path / 'stick.faceedge'}" in answer.out
    assert "nothing left in" in answer.out
    assert run("people", "remove", "--verify", person, "--json").document["clean"] is True
    document = run("people", "remove", "Bob", "--json", "--vacuum").document
    assert document["clean"] is True
    assert document["receipt"]["scan"]["files"] >= 3
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(document))
    assert run("people", "remove", "--verify", receipt).code == 0
    assert names(run) == []


def test_something_left_ends_with_1_and_is_named(run: Run, state: Path) -> None:
    shutil.copy(state / "gallery.db", state / "copy.of.gallery")
    answer = run("people", "remove", "Ada")
    assert answer.code == 1
    assert "FOUND in copy.of.gallery at byte" in answer.out
    assert "NOT clean" in answer.out


def test_remove_wants_a_name_or_a_receipt(run: Run, state: Path) -> None:
    assert run("people", "remove").code == 2
    assert run("people", "remove", "Ada", "--verify", "x").code == 2
    assert run("people", "remove", "--verify", "x").code == 2
    assert names(run) == ["Ada", "Bob"]


@pytest.mark.parametrize(
    "argv",
    [
        ("vault",), ("vault", "rotate"), ("vault", "erase"), ("backup",), ("restore",),
        ("gallery", "export"), ("gallery", "import"), ("people", "remove"),
    ],
)  # fmt: skip
def test_help_teaches_with_an_example(run: Run, argv: tuple[str, ...]) -> None:
    answer = run(*argv, "--help")
    assert answer.code == 0
    assert "Example: faceedge " in answer.out
