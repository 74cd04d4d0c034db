"""What is shown: a line, a table, a document, and the last word."""

from __future__ import annotations

import json

from rich.console import Console

from faceedge.chaos import table
from faceedge.chaos.bounds import Bound, Outcome
from faceedge.chaos.drill import Row

BOUND = Bound(3.0, 5.0, 2)
GOOD = Row("killed", "kill -9", BOUND, Outcome(0.1, 3.1, 1, 0, 0, 2, "exit"), log="daemon-1.log")
BAD = Row("frozen-frame", "frozen", BOUND, Outcome(None, 2.0, 1, 0, 1, 2), ("never detected",), log="daemon-2.log")
SKIPPED = Row("disk-full", "full", BOUND, skipped="root")


def drawn(rows: list[Row]) -> str:
    console = Console(width=100, force_terminal=False)
    with console.capture() as told:
        console.print(table.table(rows))
    return told.get()


def test_a_row_shows_what_was_seen_and_its_bounds() -> None:
    assert [word in drawn([GOOD]) for word in ("killed", "0.1 s (3)", "3.1 s (5)", "1 (2)")] == [True] * 4


def test_what_was_never_seen_is_said_so() -> None:
    assert "never (3)" in drawn([BAD])


def test_what_was_skipped_says_what_it_needs() -> None:
    assert "skipped: needs root" in drawn([SKIPPED])


def test_a_failing_row_names_its_log() -> None:
    assert "daemon-2.log" in table.line(BAD).plain
    assert "daemon-2.log" in table.last_line([GOOD, BAD]).plain


def test_one_broken_bound_fails_all() -> None:
    assert table.has_passed([GOOD, SKIPPED])
    assert not table.has_passed([GOOD, BAD])
    assert table.last_line([GOOD, BAD]).plain.startswith("FAILED  1 of 2")


def test_nothing_done_is_nothing_proved() -> None:
    assert not table.has_passed([SKIPPED])
    assert table.last_line([SKIPPED]).plain.startswith("NOTHING DONE")


def test_the_document_is_json() -> None:
    document = json.loads(json.dumps(table.document([GOOD, BAD, SKIPPED], 7, "here"), allow_nan=False))
    assert document["passed"] is False
    assert [row["passed"] for row in document["rows"]] == [True, False, False]
    assert document["rows"][1]["outcome"]["detected_s"] is None


def test_a_fault_that_need_not_be_told_is_not_said_to_be_missed() -> None:
    quiet = Row("clock-ahead", "a year", Bound(None, 5.0, 2), Outcome(None, 2.0, 0, 0, 0, 2))
    assert "detected –" in table.line(quiet).plain
    assert "never" not in drawn([quiet])
