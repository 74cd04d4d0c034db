"""`make bench`: every comparison, as a table and as bench.json. `python -m benchmarks NAME…` runs some of them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    against_dlib,
    batching,
    door,
    engines,
    enrolment,
    families,
    journal,
    latency,
    overload,
    pipeline,
    precision,
    rewritten,
    search,
)
from benchmarks.measure import Row, machine

SUITES = {
    "dlib": against_dlib.rows,
    "engines": engines.rows,
    "pipeline": pipeline.rows,
    "latency": latency.rows,
    "door": door.rows,
    "enrolment": enrolment.rows,
    "journal": journal.rows,
    "precision": precision.rows,
    "families": families.rows,
    "rewritten": rewritten.rows,
    "overload": overload.rows,
    "batching": batching.rows,
    "search": search.rows,
}


def main() -> None:
    """Runs the named suites (default all), prints the table, writes bench.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="*", help=f"any of {', '.join(SUITES)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    args = parser.parse_args()
    rows: list[Row] = []
    for name in args.suite or SUITES:
        rows += SUITES[name]()
    Console(width=150).print(table(rows))
    args.out.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n", encoding="utf-8")


def table(rows: list[Row]) -> Table:
    """Rows for people; a goal that was missed is red."""
    view = Table(title=machine())
    for column in ("comparison", "ours", "theirs", "unit", "ratio", "goal", "quartiles ours", "quartiles theirs"):
        view.add_column(column, justify="left" if column == "comparison" else "right")
    for row in rows:
        colour = "" if row.goal is None else "green" if row.ratio >= row.goal else "red"
        ratio = f"[{colour}]{row.ratio:.2f}x[/]" if colour else f"{row.ratio:.2f}x"
        goal = "" if row.goal is None else f"{row.goal:g}x"
        spreads = ["–".join(f"{value:g}" for value in row.spread[side]) for side in ("ours", "theirs")]
        view.add_row(row.name, f"{row.ours:g}", f"{row.theirs:g}", row.unit, ratio, goal, *spreads)
    return view


if __name__ == "__main__":
    main()
