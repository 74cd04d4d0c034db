"""Reading journal.db while others write it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from faceedge import database
from faceedge.errors import StoreError
from faceedge.journal.chain import COLUMNS
from faceedge.journal.entry import Draft, Entry
from faceedge.journal.schema import MEND


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """One moment of the journal: what is appended meanwhile is not seen. Raises StoreError."""
    if not path.is_file():
        raise StoreError(f"{path}: no journal yet; the daemon writes one")
    with database.reading(path, MEND) as connection:
        yield connection


def entries(connection: sqlite3.Connection, where: str = "1", *values: object, newest_first: bool = False,
            ) -> Iterator[Entry]:  # fmt: skip
    """Entries in order. where: a condition of our own on the columns."""
    order = "DESC" if newest_first else "ASC"
    query = f"SELECT {COLUMNS} FROM entries WHERE {where} ORDER BY seq {order}"  # noqa: S608, conditions are constants
    for seq, time_ms, monotonic_ms, boot, kind, body, digest in connection.execute(query, values):
        yield Entry(seq, Draft(kind, body, time_ms, monotonic_ms, boot), digest)


def newest(connection: sqlite3.Connection, kind: str) -> Entry | None:
    """The last entry of a kind."""
    return next(entries(connection, "kind = ?", kind, newest_first=True), None)


def last_time(path: Path) -> datetime | None:
    """When the last entry was written by a clock that was set; None without one, or when it cannot be read."""
    try:
        with reading(path) as connection:
            entry = next(entries(connection, "time_ms IS NOT NULL", newest_first=True), None)
    except StoreError:
        return None
    if entry is None or entry.draft.time_ms is None:
        return None
    return datetime.fromtimestamp(entry.draft.time_ms / 1000, timezone.utc)


def naming(connection: sqlite3.Connection, matter: str, kind: str | None = None) -> Iterator[Entry]:
    """Entries, newest first, in whose body `id` is this."""
    needle = f'"id":"{matter}"'.encode("ascii", "replace")
    where, values = "instr(body, ?) > 0", (needle,)
    if kind is not None:
        return entries(connection, f"{where} AND kind = ?", *values, kind, newest_first=True)
    return entries(connection, where, *values, newest_first=True)
