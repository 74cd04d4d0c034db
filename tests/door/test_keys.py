"""Key files: private, whole, and refused in one line when they are not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from faceedge.config import Door
from faceedge.door import keys
from faceedge.errors import BadInput, FaceedgeError, StoreError


def test_a_new_key_is_private_and_can_be_read_back(tmp_path: Path) -> None:
    path = keys.make_key(tmp_path / "state", "main", "inner")
    assert path == keys.key_path(tmp_path / "state", "main", "inner")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert keys.read_key(path) == keys.read_key(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_two_keys_differ(tmp_path: Path) -> None:
    one, two = (keys.read_key(keys.make_key(tmp_path, "main", name)) for name in ("a", "b"))
    assert one != two
    assert one.kid != two.kid


def test_an_existing_key_is_never_replaced(tmp_path: Path) -> None:
    before = keys.read_key(keys.make_key(tmp_path, "main", "inner"))
    with pytest.raises(StoreError, match="has a key already"):
        keys.make_key(tmp_path, "main", "inner")
    assert keys.load_keys(tmp_path, [Door(name="main", controllers=("inner",))]) == {("main", "inner"): (before,)}


def test_a_crash_while_writing_leaves_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="No space left"):
        keys.make_key(tmp_path, "main", "inner")
    assert list((tmp_path / "keys").iterdir()) == []


def test_names_with_hyphens_do_not_share_a_file(tmp_path: Path) -> None:
    assert keys.key_path(tmp_path, "a-b", "c") != keys.key_path(tmp_path, "a", "b-c")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = keys.make_key(tmp_path, "main", "inner")
    path.chmod(mode)
    with pytest.raises(StoreError, match="chmod 600"):
        keys.read_key(path)


@pytest.mark.parametrize("text", [b"", b"abc\n", b"A" * 43 + b"\n", b"!" + b"A" * 43 + b"=\n", b"A" * 5000])
def test_a_damaged_key_is_refused_by_name(tmp_path: Path, text: bytes) -> None:
    path = keys.make_key(tmp_path, "main", "inner")
    path.write_bytes(text)
    with pytest.raises(StoreError) as caught:
        keys.read_key(path)
    _is_one_line_with(path, caught.value)


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="faceedge door add"):
        keys.read_key(tmp_path / "none.key")


def test_a_named_pipe_or_a_folder_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(StoreError) as caught:
            keys.read_key(path)
        _is_one_line_with(path, caught.value)


@pytest.mark.parametrize("name", ["", "Main", "../x", "a/b", "a" * 33, "a\n", "#"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="is no name"):
        keys.make_key(tmp_path, name, "inner")


def _is_one_line_with(path: Path, error: FaceedgeError) -> None:
    assert str(path) in str(error)
    assert "\n" not in str(error)
