"""Rows of words as a table: set on a terminal that is wide enough, plain columns otherwise and for a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_ENDLESS = 10_000


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, folds: str) -> None:
    """Prints on stdout; a pipe gets all of it. folds: heading of the column that gives way on a narrow terminal."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for word in head:
            table.add_column(escape(word), no_wrap=word != folds, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        console = Console()
        needed = console.measure(table, options=console.options.update(width=_ENDLESS)).minimum
        if needed <= console.width:  # else whole columns would go, and names be cut
            console.print(table)
            return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
