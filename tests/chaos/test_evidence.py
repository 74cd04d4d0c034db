"""A door that opened must have its grant in the journal, written in the time before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faceedge.chaos import evidence
from faceedge.chaos.observer import Opened
from faceedge.journal.chain import Keep
from faceedge.journal.writer import Journal

TTL_S = 0.6


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    written = Journal.of(tmp_path, Keep(), lambda _: None)
    written.start()
    written.append_now("grant", {"id": "x"}, 5.0)
    written.append_now("decision", {"id": "y"}, 5.0)
    yield written
    written.stop()


@pytest.mark.usefixtures("journal")
def test_an_open_after_its_entry_is_well(tmp_path: Path) -> None:
    (written_s,) = evidence.grants(tmp_path / "journal.db")
    assert evidence.objection([Opened(written_s + 0.2, "her")], tmp_path / "journal.db", TTL_S) == ""


@pytest.mark.usefixtures("journal")
def test_an_open_without_one_is_not(tmp_path: Path) -> None:
    (written_s,) = evidence.grants(tmp_path / "journal.db")
    opens = [Opened(written_s + 0.2, "her"), Opened(written_s + 5, "her"), Opened(written_s - 1, "her")]
    assert evidence.objection(opens, tmp_path / "journal.db", TTL_S).startswith("2 of 3 times")


def test_a_journal_that_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    assert "no journal" in evidence.objection([Opened(1.0, "her")], tmp_path / "journal.db", TTL_S)
