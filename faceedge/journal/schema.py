"""journal.db as SQL: its tables, and a transaction on it that notices when the file was replaced."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge.database import told
from faceedge.errors import StoreError

MEND = "move it away to begin a new journal, and keep it as evidence"

MIGRATIONS = (
    """
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        time_ms INTEGER,
        monotonic_ms INTEGER NOT NULL,
        boot TEXT NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL
    );
    CREATE INDEX checkpoints ON entries (seq) WHERE kind = 'checkpoint';
    CREATE INDEX cuts ON entries (seq) WHERE kind = 'cut';
    CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
    """,
    """
    CREATE TABLE outbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        time_ms INTEGER,
        monotonic_ms INTEGER NOT NULL,
        boot TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE INDEX outbox_dropped ON outbox (number) WHERE kind = 'dropped';
    """,
)

Identity = tuple[int, int]


def identity(path: Path) -> Identity:
    """Device and inode: which file lies there now."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


@contextmanager
def transaction(path: Path, connection: sqlite3.Connection, file: Identity) -> Iterator[None]:
    """Others wait, from before the first read until all is on disk. file: what was opened. Raises StoreError."""
    with told(path, MEND):
        if identity(path) != file:
            raise StoreError(f"{path}: was replaced while it was open")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
