"""The document of `faceedge selftest` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faceedge.cli.opening import counted

_MARKS = {"passed": "[green]✓[/]", "failed": "[bold red]✗[/]", "not run": "[dim]–[/]"}


def show(document: Mapping[str, Any]) -> None:
    """Prints it on stdout as tables."""
    console = Console(highlight=False, soft_wrap=True)
    about = document["machine"]
    cores = counted(about["cores"], "core")
    console.print(escape(f"faceedge {document['version']} on {about['name']}, {cores}, {document['seconds']:.0f} s"))
    table = Table("", "check", "found", box=box.SIMPLE_HEAD)
    for row in document["rows"]:
        table.add_row(_MARKS[row["verdict"]], escape(row["check"]), escape(_told(row)))
    console.print(table)
    if batches := [one for row in document["rows"] for one in row["figures"].get("table", ())]:
        console.print(_latency(batches))
    console.print("[bold green]PASSED[/]" if document["passed"] else "[bold red]FAILED[/]")


def _told(row: Mapping[str, Any]) -> str:
    return f"not run: {row['said']}" if row["verdict"] == "not run" else str(row["said"])


def _latency(batches: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("network", "engine", "precision", title="Latency", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("batch", "median ms"):
        table.add_column(heading, justify="right")
    for one in batches:
        name = escape(f"{one['role']} {one['package']}")
        table.add_row(name, one["engine"], one["precision"], str(one["batch"]), f"{one['ms']:.2f}")
    return table
