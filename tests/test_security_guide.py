"""The threat model asks every flow and every store all six questions, and names tests and files that exist."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import pytest

from faceedge.door.nonces import OLD, Nonces
from tests.guides import DOCS

PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n)+)", re.MULTILINE)
ROOT = DOCS.parent


class Row(NamedTuple):
    """One line of a table: a letter of STRIDE, and what stands in its cells."""

    element: str
    letter: str
    threat: str
    measure: str
    test: str
    remains: str


ROWS = [
    Row(title, *(cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")))
    for title, body in SECTION.findall(PAGE)
    for line in body.splitlines()
    if re.match(r"\| [STRIDE] \|", line)
]


@cache
def defined() -> set[str]:
    """Names of all tests that there are."""
    pages = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for page in pages for name in re.findall(r"^def (test_\w+)\(", page, re.MULTILINE)}


@pytest.mark.parametrize("element", sorted({row.element for row in ROWS}))
def test_every_flow_and_store_is_asked_all_six_questions(element: str) -> None:
    assert {row.letter for row in ROWS if row.element == element} == set("STRIDE")


def test_every_measure_has_its_place_in_the_code_and_a_test_that_exists() -> None:
    assert len(ROWS) > 70
    for row in ROWS:
        places, tests = re.findall("`([^`]+/[^`]*)`", row.measure), re.findall("`(test_[^`]+)`", row.test)
        assert places, f"{row.threat}: where in the code?"
        assert tests, f"{row.threat}: which test proves it?"
        assert [name for name in places if not (ROOT / name).exists()] == []
        assert sorted(set(tests) - defined()) == []


def test_a_command_is_good_for_as_long_as_the_page_says() -> None:
    now = [0.0]
    nonces = Nonces(lambda: now[0])
    first = nonces.newest
    now[0] = 59.0
    assert nonces.use(first) == ""
    nonces.renew()
    last, now[0] = nonces.newest, now[0] + 61.0
    assert nonces.use(last) == OLD
    assert "good once, and for a minute at most" in PAGE


def test_how_to_report_a_fault_is_said_without_an_address() -> None:
    report = PAGE[PAGE.index("## Report a fault") :]
    assert "private security advisory in the repository" in report
    assert not re.search("@|http", report)
