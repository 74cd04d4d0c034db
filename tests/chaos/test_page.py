"""docs/chaos.md names every fault with the bound that is checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faceedge.chaos.bounds import BOUNDS
from faceedge.chaos.run import FAULTS

PAGE = (Path(__file__).parents[2] / "docs" / "chaos.md").read_text(encoding="utf-8")
NAMES = [fault.name for fault in FAULTS]


def rows() -> dict[str, list[str]]:
    """Cells of the table of faults, by name."""
    table = PAGE.partition("## The faults")[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return {name: line for line in lines for name in re.findall(r"`([a-z0-9-]+)`", line[0])}


def number(cell: str) -> float | None:
    found = re.match(r"[0-9.]+", cell)
    return float(found[0]) if found else None


def test_the_page_has_every_fault_and_no_other() -> None:
    assert sorted(rows()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_the_bound_that_is_checked(name: str) -> None:
    _, _, detected, recovered, lost, door = rows()[name]
    bound = BOUNDS[name]
    assert (number(detected), number(recovered), number(lost)) == (bound.detected_s, bound.recovered_s, bound.lost)
    assert (door == "shut") is bound.shut
