"""`faceedge capture` as a person uses it: counts without names, and an end to all of it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from faceedge.gallery.captured import DAY_S, Kept
from faceedge.gallery.store import Gallery
from faceedge.journal.reading import entries, reading
from tests.cli.conftest import Run


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Six crops of Ada in poor light, two of strangers."""
    today = int(time.time()) // DAY_S * DAY_S
    with Gallery.open(tmp_path / "state") as gallery:
        ada = gallery.add_person("Ada")
        rows = [Kept(f"a{at}", ada.id, today, "arcface_112", "b", 0.5, 40.0, 0.5) for at in range(6)]
        rows += [Kept(f"s{at}", None, today - 2 * DAY_S, "arcface_112", "b", 0.9, 120.0, 0.5) for at in range(2)]
        gallery.captured.change([(row, np.zeros((112, 112, 3), np.uint8)) for row in rows], ())
    return tmp_path / "state"


def test_nothing_captured_is_said_so(run: Run) -> None:
    answer = run("capture", "status")
    assert answer.code == 0
    assert answer.out == "capture is off: at most 2000 crops, none older than 30 days\nno crop is kept\n"


def test_status_counts_strata_and_names_nobody(run: Run, state: Path) -> None:
    answer = run("capture", "status")
    assert "8 crops: 6 of 1 people enrolled, at most 6 of one; 2 of others" in answer.out
    assert "quality fair  light dark        6 of people enrolled       0 of others" in answer.out
    assert "Ada" not in answer.out
    document = run("capture", "status", "--json").document
    assert document["strata"] == [
        {"quality": "best", "light": "even", "people": 0, "strangers": 2},
        {"quality": "fair", "light": "dark", "people": 6, "strangers": 0},
    ]


def test_erase_wants_to_be_sure_and_is_in_the_journal_as_a_count(run: Run, state: Path) -> None:
    refusal = run("capture", "erase")
    assert (refusal.code, refusal.out) == (2, "")
    assert "--yes" in refusal.err
    assert run("capture", "erase", "--yes", "--json").document == {"erased": 8}
    assert run("capture", "status", "--json").document["crops"] == 0
    assert run("people", "list", "--json").document["people"][0]["name"] == "Ada"
    with reading(state / "journal.db") as connection:
        assert [entry.body for entry in entries(connection)] == [{"done": "erased", "crops": 8}]
    assert run("capture", "erase", "--yes").out == "0 captured crops erased\n"
