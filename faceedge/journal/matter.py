"""Finds what the journal says of one decision."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from faceedge.errors import BadInput
from faceedge.journal.entry import Entry
from faceedge.journal.reading import entries, naming, newest, reading

SOON = 2000
"""A grant and its verdicts stand within so many entries after the decision."""


def find(journal: Path, wanted: str | None) -> list[Entry]:
    """The decision, then its grants and verdicts, in order. wanted: id or number of the decision, None: the last one.

    Raises BadInput when there is none.
    """
    with reading(journal) as connection:
        decision = newest(connection, "decision") if wanted is None else _named(connection, wanted)
        if decision is None:
            raise BadInput(
                "the journal holds no decision yet"
                if wanted is None
                else f"no decision {wanted!r} in the journal; `faceedge why` tells of the last one"
            )
        return [decision, *_after(connection, decision)]


def _named(connection: sqlite3.Connection, wanted: str) -> Entry | None:
    if re.fullmatch(r"[0-9a-f]{16}", wanted):
        return next(naming(connection, wanted, "decision"), None)
    if re.fullmatch(r"[0-9]{1,15}", wanted):
        return next(entries(connection, "seq = ? AND kind = 'decision'", int(wanted)), None)
    return None


def _after(connection: sqlite3.Connection, decision: Entry) -> Iterator[Entry]:
    matter = decision.body.get("id")
    near = entries(connection, "seq > ? AND seq <= ?", decision.seq, decision.seq + SOON)
    return (entry for entry in near if entry.draft.kind in ("grant", "verdict") and entry.body.get("id") == matter)
