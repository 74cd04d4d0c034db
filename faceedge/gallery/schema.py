"""gallery.db: its tables, step by step, and how it is opened.

A step only adds: the previous version of faceedge must still read what it makes.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.gallery import vault
from faceedge.gallery.vault import Vault

BUSY_MS = 10_000

# Every row of people and templates has an id, the number of the change that wrote it last (`revision`) and a
# tombstone, so that a later mirror can ask for "everything since". What is NULL in a tombstone was erased.
# Sealed columns (BLOB): name, source, vector (embedding and its norm), crop. name_tag: keyed hash that finds a name.
MIGRATIONS = (
    """
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    INSERT INTO counters VALUES ('changes', 0);
    CREATE TABLE data_keys (number INTEGER PRIMARY KEY, created INTEGER NOT NULL, wrapped BLOB NOT NULL);
    CREATE TABLE people (
        id TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        name BLOB,
        name_tag BLOB UNIQUE,
        CHECK ((name IS NULL) = tombstone AND (name_tag IS NULL) = tombstone)
    );
    CREATE TABLE templates (
        id TEXT PRIMARY KEY,
        person_id TEXT NOT NULL REFERENCES people (id),
        revision INTEGER NOT NULL,
        tombstone INTEGER NOT NULL DEFAULT 0 CHECK (tombstone IN (0, 1)),
        created INTEGER NOT NULL,
        space TEXT NOT NULL,
        build TEXT NOT NULL,
        dimension INTEGER NOT NULL,
        quality REAL,
        source BLOB,
        vector BLOB,
        crop BLOB,
        CHECK ((vector IS NULL) = tombstone)
    );
    CREATE INDEX people_revision ON people (revision);
    CREATE INDEX templates_revision ON templates (revision);
    CREATE INDEX templates_person ON templates (person_id);
    CREATE INDEX templates_space ON templates (space);
    """,
)


def connect(state: Path) -> tuple[sqlite3.Connection, Vault]:
    """Opens `<state>/gallery.db` and its vault; makes both where there is neither.

    Raises StoreError when the folder cannot be used, the file is no gallery or of a later version, or the key is wrong.
    """
    path = state / "gallery.db"
    with told(path), _one_at_a_time(state):
        _make_private(path)
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None)
        try:
            _set_up(connection)
            _migrate(connection, path)
            return connection, _open_vault(connection, state)
        except BaseException:
            connection.close()
            raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what SQLite and the system say into one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}; {_advice(error)}") from error
    except OSError as error:
        raise StoreError(
            f"{error.filename or path}: {error.strerror}; set state_dir or FACEEDGE_STATE to a folder of your own"
        ) from error


def _advice(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text or "busy" in text:
        return "another process is writing, try again"
    if "full" in text or "disk I/O" in text:
        return "look at the disk"
    return "restore a backup"


@contextmanager
def _one_at_a_time(state: Path) -> Iterator[None]:
    """Two processes that find an empty state directory must not both make a key."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_private(path: Path) -> None:
    """The file is 0600 from its first moment; SQLite gives -wal and -shm the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS) + 1:
        raise StoreError(f"{path}: was written by a later version of faceedge; update this one")
    for number, steps in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {number}; COMMIT;")


def _open_vault(connection: sqlite3.Connection, state: Path) -> Vault:
    row = connection.execute("SELECT wrapped FROM data_keys ORDER BY number DESC LIMIT 1").fetchone()
    if row is not None:
        return Vault(vault.unwrap(row[0], vault.read_device_key(vault.device_key_path(state))))
    data_key = os.urandom(vault.KEY_BYTES)
    wrapped = vault.wrap(data_key, vault.make_device_key(vault.device_key_path(state)))
    connection.execute("INSERT INTO data_keys VALUES (1, ?, ?)", (int(time.time()), wrapped))
    return Vault(data_key)
