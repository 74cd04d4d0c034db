"""New keys for a gallery, or none at all. A crash in the middle leaves the old key or the new one, and all readable."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from faceedge.database import one_at_a_time, told
from faceedge.errors import BadInput, StoreError
from faceedge.gallery import devicekey, vault
from faceedge.gallery.devicekey import DeviceKey
from faceedge.gallery.schema import connect, wrapped_key
from faceedge.gallery.sealed import reseal
from faceedge.gallery.vault import Vault
from faceedge.keyfile import KEY_BYTES, read_key

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """device_key: where the key lies that opens the gallery now. cells: how many values were sealed anew."""

    device_key: Path
    data_key: int
    cells: int


def rotate(state: Path, *, data: bool, given: Path | None, progress: Progress) -> Rotated:
    """A new device key; with `data` also a new data key, under which everything is sealed anew in one transaction.

    given: a file with the new device key, for a systemd credential; without it the file of the state directory gets a
    fresh one. Raises StoreError, and BadInput when the key comes from a credential and none is given.
    """
    connection, safe = connect(state)
    path = state / "gallery.db"
    with closing(connection), told(path), one_at_a_time(state):
        number, wrapped = wrapped_key(connection)
        data_key, used = devicekey.unlock(state, wrapped)
        if given is None and used.path == devicekey.credential_path():
            raise BadInput(f"{used.path}: is a systemd credential, which only systemd-creds replaces; see --key")
        fresh = DeviceKey(given, read_key(given)) if given else devicekey.prepare(state)
        connection.execute("BEGIN IMMEDIATE")
        cells = 0
        if data:
            data_key, number = os.urandom(KEY_BYTES), number + 1
            cells = reseal(connection, safe, Vault(data_key, number), progress)
        _store(connection, number, vault.wrap(data_key, fresh.secret))
        connection.execute("COMMIT")
        if given is None:
            devicekey.install(state)
        elif (old := vault.device_key_path(state)).exists():
            devicekey.destroy(old)
        (is_blocked, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_blocked:
        raise StoreError(f"{path}: keys are new, but another process still reads the old log; stop it and rotate again")
    return Rotated(given or vault.device_key_path(state), number, cells)


def _store(connection: sqlite3.Connection, number: int, wrapped: bytes) -> None:
    connection.execute("DELETE FROM data_keys")
    connection.execute("INSERT INTO data_keys VALUES (?, ?, ?)", (number, int(time.time()), wrapped))
    connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'changes'")


def erase(state: Path) -> list[Path]:
    """Destroys the device key files and the wrapped data key: nothing of the gallery opens again. Which files went.

    A credential of systemd is out of reach, but without the wrapped data key it opens nothing. Works without the key.
    """
    gone = []
    with told(state / "gallery.db"), one_at_a_time(state):
        for path in (vault.device_key_path(state), devicekey.fresh_path(state)):
            if path.exists():
                devicekey.destroy(path)
                gone.append(path)
        if (state / "gallery.db").exists():
            _forget_data_key(state / "gallery.db")
    return gone


def _forget_data_key(path: Path) -> None:
    """Random bytes stay in its place, so that nobody takes the gallery for a new one."""
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("UPDATE data_keys SET wrapped = randomblob(length(wrapped))")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
