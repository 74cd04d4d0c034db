"""`faceedge doctor --watch`: a live view of the running door, out of what it offers anyway. Nothing listens for it, and
no camera is opened that the daemon may have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from faceedge.checks.doctor.base import Patient
from faceedge.checks.doctor.cameras import EXCLUSIVE, one_picture
from faceedge.checks.doctor.daemon import Daemon, look_at
from faceedge.cli.doctor_screen import MARKS
from faceedge.demo.preview import Blocks
from faceedge.errors import CameraError, FaceedgeError
from faceedge.journal.reading import entries, reading

EVERY_S = 1.0
HISTORY, LAST, LOOKED_BACK = 48, 8, 1000
"""Decisions in the sparkline, decisions as lines, and entries of the journal that are looked through for them."""
BARS = "▁▂▃▄▅▆▇█"
COLUMNS, ROWS, OTHER_ROWS = 48, 14, 20
"""Of the thumbnail, in signs, in each of which two pixels lie above each other; and what else is shown."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision, without who it was about. age_ms: from the picture to it, None when a file was played."""

    time_ms: int | None
    camera: str
    outcome: str
    reason: str
    age_ms: float | None

    def __str__(self) -> str:
        at = datetime.fromtimestamp(self.time_ms / 1000, timezone.utc) if self.time_ms is not None else None
        took = f"{self.age_ms:.0f} ms" if self.age_ms is not None else ""
        return (
            f"{f'{at:%H:%M:%S}' if at else '--:--:--'}  {self.camera}  {self.outcome}  {self.reason}  {took}".rstrip()
        )


def sparkline(values: Sequence[float | None]) -> str:
    """One sign a value, the highest is a full block; a gap where there is none."""
    most = max((value for value in values if value is not None), default=0.0)
    top = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[round(top * value / most) if most > 0 else 0] for value in values
    )  # fmt: skip


def watch(patient: Patient) -> None:
    """Until Ctrl+C."""
    where = patient.settings.health.metrics if patient.settings is not None else ""
    console = Console(highlight=False)
    rows = min(ROWS, console.height - OTHER_ROWS)
    picture = _thumbnail(patient, look_at(patient.unit, where, patient.environ), rows)
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            daemon = look_at(patient.unit, where, patient.environ)
            live.update(screen(daemon, decisions(patient.state), picture), refresh=True)
            time.sleep(EVERY_S)


def screen(daemon: Daemon, last: Sequence[Decided], picture: RenderableType) -> RenderableType:
    """Everything that is shown. last: the newest decisions, the newest first."""
    ages = [one.age_ms for one in reversed(last)]
    newest = next((f"{age:.0f} ms" for age in reversed(ages) if age is not None), "none yet")
    return Group(
        _head(daemon), picture, _table(daemon), Text(f"picture to decision {sparkline(ages)} {newest}"),
        Text("last decisions (UTC)", style="bold"), *(Text(f"  {one}", overflow="ellipsis") for one in last[:LAST]),
        Text("Ctrl+C ends this", style="dim"),
    )  # fmt: skip


def decisions(state: Path) -> list[Decided]:
    """The newest of the journal, the newest first; none where it cannot be read."""
    try:
        with reading(state / "journal.db") as connection:
            (most,) = connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()
            found = entries(connection, "kind = 'decision' AND seq > ?", most - LOOKED_BACK, newest_first=True)
            return [_decided(entry.draft.time_ms, json.loads(entry.draft.body)) for entry in islice(found, HISTORY)]
    except FaceedgeError:
        return []


def _decided(time_ms: int | None, body: dict[str, Any]) -> Decided:
    camera, outcome, reason = (str(body.get(key, "")) for key in ("camera", "outcome", "reason"))
    return Decided(time_ms, camera, outcome, reason, body.get("age_ms"))


def _head(daemon: Daemon) -> Text:
    state = daemon.unit.get("ActiveState") or ("runs" if daemon.runs else "does not answer")
    told = {
        "served": "",
        "off": "; set [health] metrics to see more",
        "silent": "; no metrics",
        "strange": "; no metrics",
    }
    return Text(f"faceedge {state}{told[daemon.page]}", style="bold" if daemon.runs else "bold red")


def _table(daemon: Daemon) -> Table:
    """Cameras, queues and what stages take, as far as the daemon tells."""
    table = Table.grid(padding=(0, 2))
    for labels, is_ok in sorted(daemon.all_of("camera_ok"), key=str):
        table.add_row(MARKS["ok" if is_ok else "fail"], "camera", escape(labels.get("camera", "")))
    counts = {labels.get("stage", ""): value for labels, value in daemon.all_of("stage_seconds_count")}
    for labels, seconds in sorted(daemon.all_of("stage_seconds_sum"), key=str):
        stage = labels.get("stage", "")
        if counts.get(stage):
            table.add_row(
                "", escape(stage), f"{1000 * seconds / counts[stage]:.0f} ms a batch, {counts[stage]:.0f} batches"
            )
    for labels, waiting in sorted(daemon.all_of("queue_items"), key=str):
        table.add_row("", f"queue {escape(labels.get('queue', ''))}", f"{waiting:.0f} waiting")
    return table


def _thumbnail(patient: Patient, daemon: Daemon, rows: int) -> RenderableType:
    """One picture of the first camera, taken before the view begins; why there is none, where there is none."""
    from faceedge.cameras import parse

    cameras = patient.settings.camera if patient.settings is not None else ()
    if rows < 1:
        return Text("no picture: the terminal is too low", style="dim")
    if not cameras:
        return Text("no camera is configured", style="dim")
    try:
        source = parse(cameras[0].uri)
        if daemon.runs and source.kind in EXCLUSIVE:
            return Text(f"no picture: the daemon has {source.shown}", style="dim")
        return Blocks(one_picture(source, cameras[0]), round(rows * COLUMNS / ROWS), rows)
    except CameraError as error:
        return Text(f"no picture: {error}", style="dim")
