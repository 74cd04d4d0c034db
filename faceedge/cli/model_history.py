"""`faceedge model history`: who let which network serve, when, and what came of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faceedge.cli import opening
from faceedge.cli.model_site import ROLES, open_site
from faceedge.cli.model_table import print_table

DONE = ("activated", "rolled_back", "failed", "went_back", "removed")


def add(actions: Any, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `history` to `model`."""
    parser = action(
        actions, "history", run, "show who let which network serve, when, and what came of it",
        "faceedge model history --role recognizer",
        "As the journal has it, the newest first. With --json also what shadow and canary have shown.",
    )  # fmt: skip
    parser.add_argument("--role", choices=ROLES, help="only of this one")
    parser.add_argument("--most", type=int, default=20, metavar="N", help="not more than this (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """The newest first."""
    found: list[dict[str, Any]] = []
    for row in _rows(open_site(args).state / "journal.db"):
        if len(found) >= args.most:
            break
        if args.role is None or row.get("role") == args.role:
            found.append(row)
    if args.json:
        opening.print_json({"history": found})
    elif found:
        print_table(("when", "what", "role", "package", "in place of", "by", "why"), [_cells(row) for row in found],
                    folds="why")  # fmt: skip
    else:
        print("no network was chosen here yet")
    return 0


def _rows(journal: Path) -> Iterator[dict[str, Any]]:
    from faceedge.journal.export import time_text
    from faceedge.journal.reading import entries, reading

    if not journal.is_file():
        return
    with reading(journal) as connection:
        for entry in entries(connection, "kind = ?", "model", newest_first=True):
            if entry.body.get("done") in DONE:
                yield {"time": time_text(entry), "by": "cli", **entry.body}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    named = ("time", "done", "role", "package", "before", "by", "why")
    return tuple(str(row.get(name) or "") for name in named)
