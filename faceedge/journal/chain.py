"""journal.db: the chain on disk. What `append` has returned for is on disk. Several processes may append.

Letters go into the outbox with the entry they tell of: both are on disk, or neither is.

One `Chain` belongs to one thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from faceedge.database import BUSY_MS, one_at_a_time, open_database, told
from faceedge.journal.entry import GENESIS, Draft, Stamp, canonical, hashed
from faceedge.journal.outbox import put
from faceedge.journal.schema import MEND, MIGRATIONS, identity, transaction
from faceedge.journal.signing import CUT, Signer, open_signer

EVERY = 1000
"""Most entries between two signatures. Part of the format: a longer stretch without one is a sign of forgery."""
CUT_MOST = 2000
"""Entries erased in one transaction: a grant may be waiting behind it."""

COLUMNS = "seq, time_ms, monotonic_ms, boot, kind, body, hash"


@dataclass(frozen=True, slots=True)
class Place:
    """An entry by number and hash."""

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept. days: what is older goes. entries: more than these go, oldest first."""

    days: int = 90
    entries: int = 1_000_000


class Chain:
    """Close it, or use it in a `with` block."""

    def __init__(self, path: Path, connection: sqlite3.Connection, signer: Signer) -> None:
        self.path = path
        self.signer = signer
        self._connection = connection
        self._file = identity(path)

    @classmethod
    def open(cls, state: Path, busy_ms: int = BUSY_MS) -> Chain:
        """Opens `<state>/journal.db` and its key; makes both where there is neither.

        Raises StoreError: folder not usable, database damaged or of a later version, key missing.
        """
        path = state / "journal.db"
        with told(path, MEND), one_at_a_time(state):
            signer = open_signer(state)
            return cls(path, open_database(path, MIGRATIONS, busy_ms), signer)

    def append(self, drafts: Sequence[Draft], *, seal: bool = False) -> tuple[Place, list[int]]:
        """Adds entries in one transaction, and a signed checkpoint when one is due, and puts them on disk.

        seal: also sign what is not signed yet. Returns the newest entry and the number of each draft. Raises
        StoreError; then nothing was added.
        """
        numbers = []
        with self._transaction():
            place, signed = self._last(), self._signed()
            for draft in drafts:
                if place.seq - signed >= EVERY:
                    place = self._sign(place, draft)
                    signed = place.seq
                place = self._add(place, draft)
                numbers.append(place.seq)
            if seal and place.seq > signed:
                place = self._sign(place, Stamp().draft("checkpoint", {}))
        return place, numbers

    def trim(self, keep: Keep, stamp: Stamp | None = None) -> int:
        """Erases what is past keeping, at most CUT_MOST entries, and writes down where the kept part begins.

        An entry whose time is not known waits for its neighbours; one of this boot counts by the monotonic clock too,
        so that a leap of the wall clock cannot erase it. Returns how many entries went.
        """
        now = (stamp or Stamp()).draft("cut", {})
        with self._transaction():
            place = self._last()
            first = self._old_until(place, keep, now)
            erased: int = first - self._first()
            if erased <= 0:
                return 0
            before = self._one("SELECT hash FROM entries WHERE seq = ?", first - 1)[0]
            self._connection.execute("DELETE FROM entries WHERE seq < ?", (first,))
            body = {"erased": erased, "cut": self.signer.head(first - 1, before, CUT).as_json()}
            place = self._add(place, _with_body(now, "cut", body))
            self._sign(place, now)
        return erased

    def last(self) -> Place:
        """The newest entry; number 0 when there is none."""
        with told(self.path, MEND):
            return self._last()

    def holds(self, place: Place) -> bool:
        """Whether an entry is still as it was; yes also for one that retention has erased."""
        with told(self.path, MEND):
            found = self._one("SELECT hash FROM entries WHERE seq = ?", place.seq)
            return bool(found == (place.hash,) if found else place.seq < self._first())

    def close(self) -> None:
        """Lets go of the database; a second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self.path, self._connection, self._file)

    def _add(self, place: Place, draft: Draft) -> Place:
        columns = (place.seq + 1, draft.time_ms, draft.monotonic_ms, draft.boot, draft.kind, draft.body)
        digest = hashed(place.hash, *columns)
        put(self._connection, draft)
        self._connection.execute(f"INSERT INTO entries ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", (*columns, digest))  # noqa: S608, constants
        return Place(place.seq + 1, digest)

    def _sign(self, place: Place, at: Draft) -> Place:
        return self._add(place, _with_body(at, "checkpoint", self.signer.head(place.seq, place.hash).as_json()))

    def _last(self) -> Place:
        seq, digest = self._one("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1") or (0, GENESIS)
        if not isinstance(digest, bytes) or len(digest) != len(GENESIS):
            raise sqlite3.DatabaseError(f"entry {seq} has no hash")
        return Place(seq, digest)

    def _first(self) -> Any:
        return self._one("SELECT min(seq) FROM entries")[0] or 0

    def _signed(self) -> Any:
        """Number of the newest checkpoint, or what stands before the first entry kept."""
        newest = self._one("SELECT max(seq) FROM entries WHERE kind = 'checkpoint'")[0]
        return newest or max(0, self._first() - 1)

    def _old_until(self, last: Place, keep: Keep, now: Draft) -> int:
        """Number of the first entry to keep; the newest always is."""
        age_ms = keep.days * 86_400_000
        too_many = last.seq - keep.entries + 1
        first, waiting = 0, False
        for seq, time_ms, monotonic_ms, boot in self._connection.execute(
            "SELECT seq, time_ms, monotonic_ms, boot FROM entries ORDER BY seq LIMIT ?", (CUT_MOST,)
        ):
            is_young = now.time_ms is None or (time_ms is not None and now.time_ms - time_ms < age_ms)
            is_young |= boot == now.boot and now.monotonic_ms - monotonic_ms < age_ms
            waiting |= is_young
            if seq >= last.seq or (waiting and seq >= too_many):
                break
            if time_ms is not None or seq < too_many:
                first = seq + 1
        return first

    def _one(self, query: str, *values: object) -> Any:
        """The first row, or None."""
        return self._connection.execute(query, values).fetchone()


def _with_body(draft: Draft, kind: str, body: dict[str, object]) -> Draft:
    return replace(draft, kind=kind, body=canonical(body), letters=())
