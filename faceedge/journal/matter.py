"""Finds what the journal says of one decision, and of the second factor that it asked for or rests on."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from faceedge.errors import BadInput
from faceedge.journal.entry import Entry
from faceedge.journal.reading import entries, naming, newest, reading

SOON = 2000
"""A grant and its verdicts stand within so many entries after the decision, so does a second factor."""


def find(journal: Path, wanted: str | None) -> list[Entry]:
    """The decision, then its grants and verdicts, in order. wanted: id or number of the decision, None: the last one.

    Of a decision that rests on a second factor the story begins with the review that asked for it.

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
        review = decision.body.get("review")
        first = next(naming(connection, review, "decision"), decision) if review else decision
        return [first, *_after(connection, first)]


def _named(connection: sqlite3.Connection, wanted: str) -> Entry | None:
    if re.fullmatch(r"[0-9a-f]{16}", wanted):
        return next(naming(connection, wanted, "decision"), None)
    if re.fullmatch(r"[0-9]{1,15}", wanted):
        return next(entries(connection, "seq = ? AND kind = 'decision'", int(wanted)), None)
    return None


def _after(connection: sqlite3.Connection, decision: Entry) -> Iterator[Entry]:
    matters = {decision.body.get("id")}
    for entry in entries(connection, "seq > ? AND seq <= ?", decision.seq, decision.seq + SOON):
        if _about(entry.draft.kind, entry.body) in matters:
            if entry.draft.kind == "decision":
                matters.add(entry.body.get("id"))
            yield entry


def _about(kind: str, body: Mapping[str, Any]) -> object:
    """Id of the decision that an entry belongs to."""
    if kind == "decision":
        return body.get("review", "")
    if kind == "command":
        return body["args"].get("decision", "") if body["cmd"] == "confirm" else ""
    return body.get("id") if kind in ("grant", "verdict", "second_factor") else ""
