"""Whether every door that opened has its grant in the journal: on disk before it was sent, on whatever disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faceedge.chaos.bounds import SLACK_S
from faceedge.chaos.observer import Opened
from faceedge.errors import StoreError
from faceedge.journal.reading import entries, reading


def unwritten(opens: Sequence[Opened], journal: Path, ttl_s: float) -> list[Opened]:
    """Those without an entry in the time that a grant lives. Raises StoreError when the journal cannot be read."""
    written_s = grants(journal)
    return [one for one in opens if not any(0 <= one.at - at_s + SLACK_S <= ttl_s + 2 * SLACK_S for at_s in written_s)]


def grants(journal: Path) -> list[float]:
    """Monotonic seconds at which grants were written down, those of this boot and of others."""
    with reading(journal) as connection:
        return [entry.draft.monotonic_ms / 1000 for entry in entries(connection, "kind = 'grant'")]


def objection(opens: Sequence[Opened], journal: Path, ttl_s: float) -> str:
    """In words; empty when all is well."""
    try:
        bare = unwritten(opens, journal, ttl_s)
    except StoreError as error:
        return str(error)
    return f"{len(bare)} of {len(opens)} times the door opened without an entry in the journal" if bare else ""
