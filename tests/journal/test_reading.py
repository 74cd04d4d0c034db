"""What others ask of the journal without writing it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from faceedge.journal.chain import Chain
from faceedge.journal.reading import last_time
from tests.journal.made_up import NOW, grow, stamp


def test_the_last_time_is_that_of_the_newest_entry_whose_clock_was_set(chain: Chain, state: Path) -> None:
    assert last_time(state / "journal.db") is None
    grow(chain, 2)
    grow(chain, 1, stamp(wall=NOW + 60))
    grow(chain, 1, stamp(wall=10.0))
    assert last_time(state / "journal.db") == datetime.fromtimestamp(NOW + 60, timezone.utc)


def test_without_a_journal_or_with_a_damaged_one_no_time_is_known(tmp_path: Path) -> None:
    assert last_time(tmp_path / "journal.db") is None
    (tmp_path / "journal.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    assert last_time(tmp_path / "journal.db") is None
