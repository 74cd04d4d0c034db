"""What `faceedge chaos` shows: a line a fault as it goes, a table at the end, or the same as one JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from faceedge.chaos.drill import Row

_NONE = "–"
_COLUMNS = (
    ("detected after", 12), ("recovered after", 12), ("decisions lost", 9), ("late opens", 5), ("wrong opens", 5),
)  # fmt: skip
"""And how wide each is at least."""


def line(row: Row) -> Text:
    """One line as soon as it is known."""
    if row.skipped:
        return Text(f"–  {row.name:<18} skipped: needs {row.skipped}", "yellow")
    seen = row.outcome
    told = "" if seen is None else f"detected {_first(row)}, recovered {_seconds(seen.recovered_s)}"
    text = Text("✓  " if row.has_passed else "✗  ", "bold green" if row.has_passed else "bold red")
    text.append(f"{row.name:<18}", "bold").append(f" {told}")
    if row.complaints:
        text.append(f"  {'; '.join(row.complaints)} (see {row.log})", "red")
    return text


def table(rows: Sequence[Row]) -> Table:
    """One row a fault, with its bounds in brackets; fits 80 columns. Below it, what was skipped and why."""
    skipped = "\n".join(f"{row.name} skipped: needs {row.skipped}" for row in rows if row.skipped)
    made = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold",
        caption=skipped or None, caption_justify="left",
    )  # fmt: skip
    made.add_column("fault", no_wrap=True)
    for heading, width in _COLUMNS:
        made.add_column(heading, justify="right", min_width=width)
    made.add_column("")
    for row in rows:
        made.add_row(row.name, *_cells(row), _mark(row))
    return made


def last_line(rows: Sequence[Row]) -> Text:
    """Passed or failed, and why."""
    failed = [row for row in rows if not row.has_passed]
    skipped = sum(bool(row.skipped) for row in rows)
    left_out = f", {skipped} skipped" if skipped else ""
    if failed:
        whys = "; ".join(f"{row.name}: {', '.join(row.complaints)} ({row.log})" for row in failed)
        return Text(f"FAILED  {len(failed)} of {len(rows)} faults{left_out}: {whys}", "bold red")
    if skipped == len(rows):
        return Text("NOTHING DONE  every fault was skipped", "bold red")
    return Text(
        f"PASSED  {len(rows) - skipped} faults{left_out}: the door came back, never late, never wrong", "bold green"
    )


def document(rows: Sequence[Row], seed: int, machine: str) -> dict[str, Any]:
    """Everything as JSON types; seconds, null for never."""
    return {"passed": has_passed(rows), "seed": seed, "machine": machine, "rows": [_as_json(row) for row in rows]}


def has_passed(rows: Sequence[Row]) -> bool:
    """Something was done, and no bound was broken."""
    return all(row.has_passed for row in rows) and any(not row.skipped for row in rows)


def _as_json(row: Row) -> dict[str, Any]:
    return {**dataclasses.asdict(row), "passed": row.has_passed and not row.skipped}


def _cells(row: Row) -> list[str]:
    if row.skipped:
        return ["skipped", "", "", "", ""]
    if row.outcome is None:
        return [_NONE] * 5
    seen, bound = row.outcome, row.bound
    first = _first(row) if bound.detected_s is None else f"{_first(row)} ({bound.detected_s:g})"
    recovered = f"{_seconds(seen.recovered_s)} ({bound.recovered_s:g})"
    return [first, recovered, f"{seen.lost} ({bound.lost})", str(seen.late), str(seen.wrong)]


def _first(row: Row) -> str:
    """When it was noticed; a fault that need not be told may be told nevertheless."""
    seconds = row.outcome.detected_s if row.outcome is not None else None
    return _NONE if seconds is None and row.bound.detected_s is None else _seconds(seconds)


def _mark(row: Row) -> Text:
    if row.skipped:
        return Text("–", "yellow")
    return Text("✓", "bold green") if row.has_passed else Text("✗", "bold red")


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"
