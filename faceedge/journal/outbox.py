"""Events on their way to the broker: rows of journal.db, written with the entry they tell of, gone once delivered.

`put` is the chain's, inside its transaction. An `Outbox` belongs to one thread: the postman's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceedge.database import BUSY_MS, one_at_a_time, open_database, told
from faceedge.door.events import Letter
from faceedge.journal.entry import Draft
from faceedge.journal.schema import MEND, MIGRATIONS, Identity, identity, transaction
from faceedge.journal.tally import DROPPED, Tally

DROP_MOST = 500
"""Letters dropped in one transaction: a grant may be waiting behind it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A letter in its place. number: rises, and is never given twice."""

    number: int
    letter: Letter


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much waits. days: what is older is dropped. most: of more than these the oldest are dropped."""

    days: int = 30
    most: int = 100_000


def put(connection: sqlite3.Connection, draft: Draft) -> None:
    """The letters of an entry, inside the transaction that writes it."""
    for letter in draft.letters:
        _insert(connection, draft, letter)


class Outbox:
    """Close it when done."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self.file: Identity = identity(path)
        """Numbers are of this file; they mean nothing in another one under the same name."""

    @classmethod
    def open(cls, state: Path, busy_ms: int = BUSY_MS) -> Outbox:
        """Opens `<state>/journal.db`. Raises StoreError."""
        path = state / "journal.db"
        with told(path, MEND), one_at_a_time(state):
            return cls(path, open_database(path, MIGRATIONS, busy_ms))

    def waiting(self, most: int, after: int = 0, but: Collection[str] = ()) -> list[Row]:
        """Letters behind this number, oldest first. but: kinds to leave out."""
        query = f"SELECT number, id, kind, payload FROM outbox WHERE number > ? AND {_others('kind', but)}"  # noqa: S608, marks
        with told(self.path, MEND):
            rows = self._connection.execute(f"{query} ORDER BY number LIMIT ?", (after, *but, most))
            return [Row(number, Letter(*letter)) for number, *letter in rows]

    def count(self) -> int:
        """How many letters wait."""
        with told(self.path, MEND):
            return int(self._one("SELECT count(*) FROM outbox")[0])

    def last(self) -> int:
        """The highest number so far; 0 when nothing waits."""
        with told(self.path, MEND):
            return int(self._one("SELECT coalesce(max(number), 0) FROM outbox")[0])

    def delivered(self, numbers: Iterable[int]) -> None:
        """The broker has these. One that was dropped meanwhile is no trouble."""
        with self._transaction():
            self._connection.executemany("DELETE FROM outbox WHERE number = ?", ((number,) for number in numbers))

    def bound(self, bounds: Bounds, now: Draft, sent: Collection[int] = ()) -> int:
        """Drops what is too old or too many, oldest first, a part at a time; how many went.

        now: of this moment. sent: numbers on their way, which are left alone.
        """
        with told(self.path, MEND):
            gone = [number for number in self._past_keeping(bounds, now) if number not in sent]
        if gone:
            self.drop(gone, now, sent)
        return len(gone)

    def drop(self, numbers: Sequence[int], now: Draft, sent: Collection[int] = ()) -> None:
        """Gives these up, and says so in the one `dropped` letter that has not been sent yet.

        That letter counts everything given up since the last one was sent, so there is never a pile of them.
        """
        with self._transaction():
            tally = Tally()
            for number in numbers:
                kind, time_ms = self._one("SELECT kind, time_ms FROM outbox WHERE number = ?", number) or ("", None)
                if kind:
                    tally.add(kind, time_ms)
            unsent = [row for row in self._dropped() if row.number not in sent]
            merged = [row for row in unsent if tally.merge(row.letter.payload)]
            over = [*numbers, *(row.number for row in merged)]
            self._connection.executemany("DELETE FROM outbox WHERE number = ?", ((number,) for number in over))
            _insert(self._connection, now, tally.letter(now.time_ms, merged[0].letter.id if merged else ""))

    def close(self) -> None:
        """Lets go of the database; a second call does nothing."""
        self._connection.close()

    def _past_keeping(self, bounds: Bounds, now: Draft) -> list[int]:
        """Of one whose age is not known it is clear that it is too old once a younger one is."""
        too_many = self.count() - len(self._dropped()) - bounds.most
        numbers, past = [], 0
        for number, time_ms, monotonic_ms, boot in self._connection.execute(
            "SELECT number, time_ms, monotonic_ms, boot FROM outbox WHERE kind != ? ORDER BY number LIMIT ?",
            (DROPPED, DROP_MOST),
        ):
            age_ms = _age_ms(now, time_ms, monotonic_ms, boot)
            numbers.append(number)
            if len(numbers) <= too_many:
                past = len(numbers)
            elif age_ms is not None:
                if age_ms < bounds.days * 86_400_000:
                    break
                past = len(numbers)
        return numbers[:past]

    def _dropped(self) -> list[Row]:
        query = "SELECT number, id, kind, payload FROM outbox WHERE kind = 'dropped' ORDER BY number"
        return [Row(number, Letter(*letter)) for number, *letter in self._connection.execute(query)]

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self.path, self._connection, self.file)

    def _one(self, query: str, *values: object) -> Any:
        """The first row, or None."""
        return self._connection.execute(query, values).fetchone()


def _age_ms(now: Draft, time_ms: int | None, monotonic_ms: int, boot: str) -> int | None:
    """Within a boot by the monotonic clock, so that a wall clock that leaps drops nothing; None when not known."""
    if boot == now.boot:
        return now.monotonic_ms - monotonic_ms
    return None if time_ms is None or now.time_ms is None else now.time_ms - time_ms


def _insert(connection: sqlite3.Connection, at: Draft, letter: Letter) -> None:
    connection.execute(
        "INSERT INTO outbox (time_ms, monotonic_ms, boot, id, kind, payload) VALUES (?, ?, ?, ?, ?, ?)",
        (at.time_ms, at.monotonic_ms, at.boot, letter.id, letter.kind, letter.payload),
    )


def _others(column: str, but: Collection[str]) -> str:
    return f"{column} NOT IN ({', '.join('?' * len(but))})"
