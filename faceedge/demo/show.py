"""What the demo prints: a line a decision, a table at the end, or the same as one JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from faceedge.demo.told import Record, Ruling
from faceedge.demo.verdict import Verdict

_STYLES = {"opened": "bold green", "refused": "yellow", "granted": "bold red", "review": "magenta"}
_MUST = {"open": "open", "shut": "shut", "nothing": "no track"}


def decision_line(ruling: Ruling, names: Mapping[str, str]) -> Text:
    """Time, outcome, who, reason, similarity, quality, latency: one line in columns."""
    word = _word(ruling)
    line = Text(f"{_clock(ruling.time)}  ", "dim")
    line.append(f"{word:<8}", _STYLES[word])
    line.append(f"{_who(ruling, names):<16}", "bold")
    line.append(f"{ruling.reason.replace('_', ' '):<14}")
    line.append(f"similarity {_number(ruling.similarity)}  quality {ruling.quality:.2f}  ")
    line.append(f"{ruling.delay:>7}", "cyan")
    if ruling.why:
        line.append(f"  {ruling.verdict}: {ruling.why}", "red")
    return line


def scene_table(verdict: Verdict) -> Table:
    """One row a scene in which somebody comes or something went wrong; fits 80 columns."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("scene", no_wrap=True)
    for heading in ("must", "what happened"):
        table.add_column(heading)
    for heading in ("alike", "quality", "latency"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for result in verdict.scenes:
        if result.scene.subject == "nobody" and not result.wrong:
            continue
        shown = (result.opened or result.rulings)[:1]
        numbers = [(_number(r.similarity), f"{r.quality:.2f}", r.delay) for r in shown]
        mark = Text("✗", "bold red") if result.wrong else Text("✓", "bold green")
        row = (result.scene.name, _MUST[result.scene.expect], result.happened, *(numbers[0] if numbers else ("",) * 3))
        table.add_row(*row, mark)
    return table


def last_line(verdict: Verdict) -> Text:
    """Passed or failed, and why."""
    if not verdict.has_passed:
        return Text("FAILED  " + "; ".join(verdict.complaints), "bold red")
    median = f"{verdict.latency_ms:.0f} ms" if verdict.latency_ms is not None else "–"
    words = f"PASSED  opened {len(verdict.opened)} times for her, never wrongly; camera to verdict {median} (median)"
    return Text(words, "bold green")


def document(verdict: Verdict | None, record: Record, names: Mapping[str, str], sheet: Path | None) -> dict[str, Any]:
    """Everything of a run as JSON types. verdict: None with a camera of one's own."""
    scenes = [] if verdict is None else [
        dataclasses.asdict(result.scene) | {"happened": result.happened, "wrong": result.wrong, "tracks": result.tracks}
        for result in verdict.scenes
    ]  # fmt: skip
    return {
        "passed": None if verdict is None else verdict.has_passed,
        "complaints": [] if verdict is None else list(verdict.complaints),
        "latency_ms": None if verdict is None else verdict.latency_ms,
        "scenes": scenes,
        "decisions": [dataclasses.asdict(r) | {"name": names.get(r.person or "")} for r in record.rulings],
        "tracks": len(record.births),
        "counters": record.counters,
        "sheet": str(sheet) if sheet else None,
    }


def _word(ruling: Ruling) -> str:
    if ruling.has_opened:
        return "opened"
    return {"grant": "granted", "review": "review"}.get(ruling.outcome, "refused")


def _who(ruling: Ruling, names: Mapping[str, str]) -> str:
    if ruling.person is None or ruling.outcome == "deny":
        return "somebody"
    return names.get(ruling.person, "somebody") + ("?" if ruling.outcome == "review" else "")


def _number(value: float | None) -> str:
    return "   –" if value is None else f"{value:4.2f}"


def _clock(time: str) -> str:
    """Local time of day with tenths."""
    moment = datetime.fromisoformat(time.replace("Z", "+00:00")).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 100000}"
