"""The document of `faceedge bench` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faceedge.cli.opening import counted

MB = 1e6
WORDS = {"detector": "detector", "recognizer": "recogniser", "quality": "quality network"}
COUNTED = {"detector": "frames/s", "recognizer": "faces/s"}

Document = Mapping[str, Any]


def show(document: Document) -> None:
    """Prints it on stdout; nothing is cut off where that is no terminal."""
    console = Console(highlight=False, soft_wrap=True)
    for line in _heading(document):
        console.print(escape(line))
    console.print(_latency(document))
    console.print(_throughput(document))
    console.print(_memory(document))
    for note in document["notes"]:
        console.print(f"[yellow]note:[/] {escape(note)}")


def _heading(document: Document) -> list[str]:
    machine, engine, frames = document["machine"], document["engine"], document["frames"]
    sizes = ", ".join(f"{width}x{height}" for width, height in frames["sizes"])
    return [
        f"faceedge {document['version']} on {machine['name']}, {counted(machine['cores'], 'core')}, "
        f"{engine['backend']}, {counted(engine['threads'], 'thread')} an engine, {document['seconds']:.0f} s",
        *(
            f"{WORDS[role]}: {model['package']}, build {model['build']}, {model['precision']}, on {model['device']}"
            for role, model in document["models"].items()
        ),
        f"{counted(frames['count'], 'picture')} of {sizes} px: {frames['source']}",
    ]


def _latency(document: Document) -> Table:
    table = _table("Latency", "", "median ms", "quartiles", "p95 ms", "samples")
    for row in document["latency"]:
        ms = row["ms"]
        name = f"[bold]{row['stage']}[/]" if row["stage"].startswith("total") else f"{row['stage']}, a {row['per']}"
        spread = f"{ms['q1']:.2f} – {ms['q3']:.2f}"
        table.add_row(name, f"{ms['median']:.2f}", spread, f"{ms['p95']:.2f}", str(ms["samples"]))
    return table


def _throughput(document: Document) -> Table:
    table = _table("Throughput", "", "batch", "a second", "quartiles", "samples")
    for row in document["throughput"]:
        rate = row["per_s"]
        spread = f"{rate['q1']:.1f} – {rate['q3']:.1f}"
        name = f"{WORDS[row['role']]}, {COUNTED[row['role']]}"
        table.add_row(name, str(row["batch"]), f"{rate['median']:.1f}", spread, str(rate["samples"]))
    return table


def _memory(document: Document) -> Table:
    memory = document["memory"]
    table = _table("Memory", "", "MB")
    for words, key in (("before opening", "before"), ("models opened", "opened"), ("at the most", "most")):
        table.add_row(f"the process, {words}", f"{memory[key] / MB:.0f}")
    for role, held in memory["engines"].items():
        parts = f"{held['weights'] / MB:.1f} + {held['working'] / MB:.1f}"
        table.add_row(f"{WORDS[role]}: weights + working memory", parts)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table
