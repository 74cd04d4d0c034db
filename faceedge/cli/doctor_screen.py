"""The findings of `faceedge doctor` on one screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from faceedge.checks.doctor.base import Finding

MARKS = {"skip": "[dim]–[/]", "ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[bold red]✗[/]"}
"""In the order in which they are shown."""


def show(findings: Sequence[Finding]) -> None:
    """Prints it on stdout: a line a finding, and under it the remedy; what is red last, above the prompt."""
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in sorted(findings, key=lambda one: list(MARKS).index(one.status)):
        style = "dim" if one.status == "skip" else ""
        table.add_row(MARKS[one.status], escape(one.id), escape(one.what), style=style)
        if one.remedy:
            table.add_row("", "", f"[bold]→[/] {escape(one.remedy)}")
    console.print(table)
    console.print(_sum(findings))


def _sum(findings: Sequence[Finding]) -> str:
    counts = Counter(one.status for one in findings)
    red = f"[bold red]{counts['fail']} red[/]" if counts["fail"] else "[bold green]all green[/]"
    yellow = f", {counts['warn']} to know of" if counts["warn"] else ""
    return f"{red}{yellow}; {counts['ok']} good, {counts['skip']} not looked at"
