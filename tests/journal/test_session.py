"""What a daemon notes of its own life: a start, what has changed, a stop; nothing of one that never started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faceedge.config import JournalSettings
from faceedge.journal.reading import entries, reading
from faceedge.journal.session import Session


def live(state: Path, body: dict[str, Any] | None) -> list[dict[str, Any]]:
    """One life; what was told. body: of the start, None: it never comes to it."""
    told: list[dict[str, Any]] = []
    session = Session(state, JournalSettings(), told.append)
    if body is not None:
        session.started(body)
    session.close()
    return told


def found(state: Path) -> list[tuple[str, Any]]:
    with reading(state / "journal.db") as connection:
        return [(entry.draft.kind, entry.body.get("what")) for entry in entries(connection)]


def test_a_life_has_a_start_and_a_stop(state: Path) -> None:
    assert live(state, {"limits": {"votes": 3}}) == []
    assert [kind for kind, _ in found(state)] == ["start", "stop", "checkpoint"]


def test_a_start_that_differs_from_the_one_before_says_in_what(state: Path) -> None:
    live(state, {"limits": {"votes": 3}, "keys": {}})
    live(state, {"limits": {"votes": 4}, "keys": {}})
    assert [what for kind, what in found(state) if kind == "change"] == ["limits"]


def test_what_never_started_notes_no_stop(state: Path) -> None:
    live(state, None)
    assert "stop" not in {kind for kind, _ in found(state)}


def test_trouble_is_told(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    state.mkdir()
    (state / "journal.db").write_bytes(b"rubbish " * 2000)
    (told,) = live(state, {})
    assert (told["event"], told["ok"]) == ("journal", False)
    assert "journal.db" in told["why"]
