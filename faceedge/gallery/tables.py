"""The open database under a gallery: transactions, moments, and the key that whatever is read was sealed with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faceedge.database import told
from faceedge.errors import StoreError
from faceedge.files import inode
from faceedge.gallery.devicekey import unlock
from faceedge.gallery.schema import connect, wrapped_key
from faceedge.gallery.vault import Vault

BATCH = 256  # rows; sealed templates of so many stay in the cache


class Tables:
    """What everybody who reads or writes one `gallery.db` shares. One thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection, vault: Vault, clock: Callable[[], float]) -> None:
        self.path = path
        self.vault = vault
        self._inode = inode(path)
        self._connection = connection
        self._clock = clock
        self._is_writing = False

    @classmethod
    def open(cls, state: Path, clock: Callable[[], float]) -> Tables:
        """Opens the database, or makes it and a device key. Raises StoreError as `Gallery.open`."""
        return cls(state / "gallery.db", *connect(state), clock)

    def now_s(self) -> int:
        """Unix seconds."""
        return int(self._clock())

    @contextmanager
    def transaction(self, *, is_news: bool = True) -> Iterator[None]:
        """Everything written in the block is kept, or nothing is; other writers wait. Blocks may be nested.

        is_news: it changes what others know of people and rules, so that they load it anew.
        """
        if self._is_writing:
            yield
            return
        self.run("BEGIN IMMEDIATE")
        self._is_writing = True
        try:
            self._follow_key()
            if is_news:
                self.run("UPDATE counters SET value = value + 1 WHERE name = 'changes'")
            yield
            self.run("COMMIT")
        finally:
            self._is_writing = False
            if self._connection.in_transaction:
                self.run("ROLLBACK")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read in the block is of one moment, and the vault at the key of that moment."""
        if self._connection.in_transaction:
            yield
            return
        self.run("BEGIN")
        try:
            self._follow_key()
            yield
        finally:
            self.run("ROLLBACK")

    def rows(self, query: str, *values: object) -> list[Any]:
        """What was found."""
        with told(self.path), self.snapshot():
            return self._connection.execute(query, values).fetchall()

    def batches(self, query: str, *values: object) -> Iterator[list[Any]]:
        """What was found, `BATCH` rows at a time, all of one moment. To be read to its end."""
        with told(self.path), self.snapshot():
            cursor = self._connection.execute(query, values)
            while batch := cursor.fetchmany(BATCH):
                yield batch

    def run(self, statement: str, *values: object) -> int:
        """How many rows were written."""
        with told(self.path):
            return self._connection.execute(statement, values).rowcount

    def changes(self) -> int:
        """Rises with every change, by whichever process.

        Raises StoreError when another file has taken the place of this one: it may hold other people.
        """
        if inode(self.path) != self._inode:
            raise StoreError(f"{self.path}: was replaced while it was in use; start faceedge again")
        return int(self.rows("SELECT value FROM counters WHERE name = 'changes'")[0][0])

    def empty_log(self) -> None:
        """Writes the log into the database and empties it. Raises StoreError when another process is reading it."""
        if self._is_writing:  # an outer transaction has yet to commit
            return
        with told(self.path):
            is_blocked, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_blocked:
            raise StoreError(f"{self.path}: erased, but another process still reads the log; stop it to empty the log")

    def close(self) -> None:
        """Lets go of the database; a second call does nothing."""
        self._connection.close()

    def _follow_key(self) -> None:
        """Another process may have rotated the data key."""
        with told(self.path):
            (number,) = self._connection.execute("SELECT max(number) FROM data_keys").fetchone()
            if number != self.vault.number:
                number, wrapped = wrapped_key(self._connection)
                self.vault.become(unlock(self.path.parent, wrapped)[0], number)
