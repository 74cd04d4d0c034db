"""The journal for other programs: JSON lines, or a table for a spreadsheet. Streams, whatever the size."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from faceedge.errors import StoreError
from faceedge.files import written_whole
from faceedge.journal.entry import Entry
from faceedge.journal.reading import entries, reading

FORMATS = ("jsonl", "csv")
COMMON = ("id", "camera", "door", "outcome", "reason", "band", "person", "verdict")
"""Keys of bodies that get a column of their own in the table; the whole body is the last column."""


def export(journal: Path, to: Path, form: str) -> int:
    """Writes every entry to a new file, 0600, which appears whole or not at all; returns how many there were.

    form: one of FORMATS. Raises StoreError when the journal cannot be read or the file not be written.
    """
    written = 0
    with reading(journal) as connection:
        try:
            with written_whole(to, 0o600) as file:
                for line in (table if form == "csv" else lines)(entries(connection)):
                    file.write(line.encode("ascii"))
                    written += 1
        except OSError as error:
            raise StoreError(f"{to}: cannot be written ({error.strerror}); name a file in a folder of yours") from error
    return written - (form == "csv")


def lines(found: Iterable[Entry]) -> Iterator[str]:
    """One JSON document an entry."""
    for entry in found:
        yield json.dumps(as_json(entry), ensure_ascii=True) + "\n"


def table(found: Iterable[Entry]) -> Iterator[str]:
    """A heading, then a line an entry."""
    yield _row(["seq", "time", "monotonic_ms", "boot", "kind", *COMMON, "hash", "body"])
    for entry in found:
        body, draft = entry.body, entry.draft
        common = [_cell(body.get(name)) for name in COMMON]
        head = [entry.seq, time_text(entry) or "", draft.monotonic_ms, draft.boot, draft.kind]
        yield _row([*head, *common, entry.hash.hex(), draft.body.decode("ascii")])


def as_json(entry: Entry) -> dict[str, Any]:
    """An entry as JSON types; time is null when the clock was not set."""
    draft = entry.draft
    return {
        "seq": entry.seq, "time": time_text(entry), "time_ms": draft.time_ms, "monotonic_ms": draft.monotonic_ms,
        "boot": draft.boot, "kind": draft.kind, "body": entry.body, "hash": entry.hash.hex(),
    }  # fmt: skip


def time_text(entry: Entry) -> str | None:
    """When it happened, in UTC to the millisecond, or None."""
    if entry.draft.time_ms is None:
        return None
    moment = datetime.fromtimestamp(entry.draft.time_ms / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: object) -> str:
    """As text that no spreadsheet takes for a formula."""
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    text = text.encode("ascii", "backslashreplace").decode("ascii")
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _row(cells: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()
