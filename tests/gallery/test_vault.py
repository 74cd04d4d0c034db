"""The vault: what is sealed opens with the same key in the same place only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from faceedge.errors import StoreError
from faceedge.gallery import vault
from faceedge.gallery.vault import Vault
from faceedge.keyfile import make_key, read_key

KEY = bytes(range(32))


def test_what_is_sealed_opens_again_and_looks_different_each_time() -> None:
    safe = Vault(KEY)
    one, two = safe.seal(b"secret", "people/1/name"), safe.seal(b"secret", "people/1/name")
    assert safe.open(one, "people/1/name") == safe.open(two, "people/1/name") == b"secret"
    assert one != two
    assert b"secret" not in one


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x01" + bytes(28), b"\x02" + bytes(60)])
def test_what_was_not_sealed_does_not_open(damage: bytes) -> None:
    with pytest.raises(StoreError, match="people/1 was altered"):
        Vault(KEY).open(damage, "people/1/name")


def test_another_key_or_place_does_not_open_it() -> None:
    sealed = Vault(KEY).seal(b"secret", "people/1/name")
    with pytest.raises(StoreError):
        Vault(bytes(32)).open(sealed, "people/1/name")
    with pytest.raises(StoreError):
        Vault(KEY).open(sealed, "people/2/name")


def test_tags_find_equal_texts_under_one_key_only() -> None:
    assert Vault(KEY).tag("Ada") == Vault(KEY).tag("Ada") != Vault(KEY).tag("Bob")
    assert Vault(KEY).tag("Ada") != Vault(bytes(32)).tag("Ada")


def test_a_data_key_is_unwrapped_by_its_device_key_only() -> None:
    device_key = os.urandom(32)
    wrapped = vault.wrap(KEY, device_key)
    assert KEY not in wrapped
    assert vault.unwrap(wrapped, device_key) == KEY
    with pytest.raises(StoreError, match="put back the key it was made with"):
        vault.unwrap(wrapped, os.urandom(32))


def test_a_device_key_is_made_once_private_and_random(tmp_path: Path) -> None:
    path = vault.device_key_path(tmp_path)
    key = make_key(path)
    assert make_key(path) == read_key(path) == key
    assert len(set(key)) > 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["device.key"]


def test_a_key_file_that_is_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "link"):
        with pytest.raises(StoreError):
            read_key(tmp_path / name)
