"""What `faceedge run` does at a start after a bad end: the network before serves, and somebody hears of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faceedge.cli import way_back
from faceedge.cli.way_back import go_back
from faceedge.errors import StoreError
from faceedge.health.starts import now
from faceedge.jobs.on_trial import put_on_trial
from faceedge.journal.outbox import Outbox
from faceedge.journal.reading import newest, reading
from faceedge.models.active import Standing, stand, standing

OLD = Standing(active="old@1")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Of a daemon that has ended badly right after a switch."""
    put_on_trial("recognizer", "new@1", OLD, tmp_path, now())
    stand("recognizer", Standing(active="new@1", previous="old@1"), tmp_path)
    return tmp_path


def test_the_way_back_is_in_the_journal_and_on_its_way_to_the_broker(state: Path) -> None:
    go_back(state)
    assert standing("recognizer", state) == OLD
    with reading(state / "journal.db") as connection:
        entry = newest(connection, "model")
    assert entry is not None
    assert (entry.body["done"], entry.body["package"], entry.body["before"]) == ("went_back", "old@1", "new@1")
    outbox = Outbox.open(state)
    (event,) = (json.loads(row.letter.payload) for row in outbox.waiting(10))
    outbox.close()
    assert (event["kind"], event["what"], event["ok"], event["by"]) == ("model", "went_back", False, "rule")


def test_a_start_without_a_trial_leaves_no_trace(tmp_path: Path) -> None:
    go_back(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_door_starts_also_when_nothing_can_be_taken_back(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(way_back, "begin", full)
    go_back(state)
    assert standing("recognizer", state).active == "new@1"
