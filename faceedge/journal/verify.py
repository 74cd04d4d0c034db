"""Is the journal what was written: chain, order, signatures, and nothing missing that a published head has seen."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faceedge.errors import BadInput
from faceedge.journal.chain import COLUMNS, EVERY
from faceedge.journal.entry import GENESIS, hashed
from faceedge.journal.reading import reading
from faceedge.journal.signing import CUT, HEAD, Head, PublicKey


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. first, last: numbers of the entries kept. unsigned: entries after the newest signature.

    problem: None when all is well, else the first thing that is not. head: what the given head showed, in words.
    """

    entries: int
    first: int
    last: int
    hash: str
    checkpoints: int
    unsigned: int
    head: str
    problem: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.problem is None

    def as_json(self) -> dict[str, Any]:
        """With `ok`."""
        return {"ok": self.is_whole, **asdict(self)}


class _Broken(Exception):
    """The text says where and what."""


def verify(path: Path, key: PublicKey, head: Head | None = None) -> Report:
    """Reads every entry once. head: one that was published earlier. Raises StoreError when there is no file at all."""
    walk = _Walk(key, head)
    problem = None
    with reading(path) as connection:
        try:
            walk.run(connection)
        except _Broken as broken:
            problem = str(broken)
        except sqlite3.DatabaseError as error:
            problem = f"after entry {walk.seq}: the file is damaged ({error})"
    return Report(
        walk.entries,
        walk.first,
        walk.seq,
        walk.hash.hex(),
        walk.checkpoints,
        walk.seq - walk.signed,
        walk.told,
        problem,
    )


class _Walk:
    """One pass over the chain."""

    def __init__(self, key: PublicKey, head: Head | None) -> None:
        self._key = key
        self._published = head
        self.first = self.seq = self.signed = self.entries = self.checkpoints = 0
        self.hash = GENESIS
        self.told = "none given" if head is None else "not reached"

    def run(self, connection: sqlite3.Connection) -> None:
        """Raises _Broken at the first thing that does not hold."""
        head = self._published
        if head is not None and not self._key.holds(HEAD, head):
            raise _Broken("the given head is not signed by the journal's key")
        self._begin(connection)
        self._meet_head()
        until = head.seq if head is not None else -1
        seq, digest, signed = self.seq, self.hash, self.signed
        try:
            for number, time_ms, monotonic_ms, boot, kind, body, stored in connection.execute(
                f"SELECT {COLUMNS} FROM entries ORDER BY seq"  # noqa: S608, a constant
            ):
                if number != seq + 1:
                    raise _Broken(f"after entry {seq} comes entry {number}")
                if type(body) is not bytes:
                    raise _Broken(f"entry {number}: its body is no bytes")
                made = hashed(digest, number, time_ms, monotonic_ms, boot, kind, body)
                if made != stored:
                    raise _Broken(f"entry {number}: was changed, or the one before it was taken away")
                if kind == "checkpoint":
                    self._check_signature(seq, digest, body)
                    signed = number
                elif number - signed > EVERY + 1:
                    raise _Broken(f"entries {signed + 1} to {number}: nobody signed them")
                seq, digest = number, made
                if number == until:
                    self.seq, self.hash = seq, digest
                    self._meet_head()
        finally:
            self.entries = seq - self.first + 1 if self.first else 0
            self.seq, self.hash, self.signed = seq, digest, signed
        if head is not None and head.seq > self.seq:
            raise _Broken(f"ends with entry {self.seq}, but the given head has seen entry {head.seq}")

    def _begin(self, connection: sqlite3.Connection) -> None:
        """What stands before the first entry kept: nothing, or what a signed cut says."""
        (self.first,) = connection.execute("SELECT coalesce(min(seq), 0) FROM entries").fetchone()
        if self.first > 1:
            cut = self._cut(connection)
            if cut is None or cut.seq != self.first - 1:
                raise _Broken(f"begins with entry {self.first}, and no signed cut says so")
            if not self._key.holds(CUT, cut):
                raise _Broken(f"begins with entry {self.first}, and the cut that says so is not signed by this key")
            self.hash = cut.hash
            self.seq = self.signed = self.first - 1

    def _cut(self, connection: sqlite3.Connection) -> Head | None:
        row = connection.execute("SELECT body FROM entries WHERE kind = 'cut' ORDER BY seq DESC LIMIT 1").fetchone()
        try:
            return Head.from_json(json.loads(row[0])["cut"]) if row else None
        except (BadInput, ValueError, TypeError, KeyError):
            return None

    def _check_signature(self, seq: int, digest: bytes, body: bytes) -> None:
        try:
            said = Head.from_json(json.loads(body))
        except (BadInput, ValueError) as error:
            raise _Broken(f"entry {seq + 1}: a checkpoint without a signature") from error
        if (said.seq, said.hash) != (seq, digest) or not self._key.holds(HEAD, said):
            raise _Broken(f"entry {seq + 1}: its signature does not fit the entries before it")
        self.checkpoints += 1

    def _meet_head(self) -> None:
        """Compares with the given head where it stands."""
        head = self._published
        if head is None:
            return
        if head.seq < self.seq:
            self.told = f"entry {head.seq} was erased by retention since"
        elif head.seq == self.seq:
            if head.hash != self.hash:
                raise _Broken(f"entry {head.seq} is not the one that the given head has seen")
            self.told = f"entry {head.seq} is as it was published"
