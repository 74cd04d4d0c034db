"""The table of failures in docs/door.md: each row is executed by one test, which has to see what the row says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "door.md"
HEADING = "## What happens when something fails"
COLUMNS = ["what fails", "the door", "what one sees", "it opens again", "test"]
EXECUTED: set[str] = set()
"""Names of the rows that have a test."""


@dataclass(frozen=True)
class Row:
    """One failure. seen: every text between backticks in the column of what one sees."""

    name: str
    seen: frozenset[str]
    again: str

    @property
    def within_s(self) -> float:
        """From the end of the failure until the door opens again."""
        told = re.search(r"within (\d+) s", self.again)
        assert told is not None, f"the row {self.name} does not say when"
        return float(told[1])

    def shows(self, *texts: str | bool) -> None:
        """Fails unless these are the texts of the row, all of them and no other."""
        assert set(map(_as_json, texts)) == self.seen


def rows(page: str) -> dict[str, Row]:
    """The table of the page, by the name in its last column."""
    table = page.partition(HEADING)[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    assert lines[0] == COLUMNS
    found = [Row(line[4].strip("`"), frozenset(re.findall("`([^`]+)`", line[2])), line[3]) for line in lines[2:]]
    assert len({row.name for row in found}) == len(found), "two rows have one name"
    return {row.name: row for row in found}


ROWS = rows(PAGE.read_text(encoding="utf-8"))


def executes(name: str) -> Callable[[Callable[..., Any]], Any]:
    """The test is given the row of that name."""
    EXECUTED.add(name)
    return pytest.mark.parametrize("row", [ROWS.get(name, Row(name, frozenset(), ""))], ids=[name])


def _as_json(text: str | bool) -> str:
    return text if isinstance(text, str) else str(text).lower()
