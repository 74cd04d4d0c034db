"""What happens beside decisions: one entry, one event and one line each, and only when something changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge.door.watch import View
from faceedge.journal.chain import Chain, Keep
from faceedge.journal.notes import Notes
from faceedge.journal.outbox import Outbox
from faceedge.journal.reading import entries, reading
from faceedge.journal.writer import Journal


class Desk:
    """Notes over a real journal."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.told: list[dict[str, Any]] = []
        self.hurries = 0
        self.journal = Journal(lambda: Chain.open(state), Keep())
        self.journal.start()
        self.notes = Notes(self.journal, self.told.append, self.hurry)

    def hurry(self) -> None:
        self.hurries += 1

    def written(self) -> tuple[list[tuple[str, dict[str, Any]]], list[dict[str, Any]]]:
        """Entries and events on disk."""
        self.journal.stop()
        with reading(self.state / "journal.db") as connection:
            kept = [(entry.draft.kind, entry.body) for entry in entries(connection)]
        outbox = Outbox.open(self.state)
        letters = [json.loads(row.letter.payload) for row in outbox.waiting(100)]
        outbox.close()
        return [one for one in kept if one[0] != "checkpoint"], letters


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.journal.stop()


def test_a_camera_that_fails_is_an_entry_an_event_and_a_line(desk: Desk) -> None:
    desk.notes.camera("front", False, "no such device")
    written, (event,) = desk.written()
    assert written == [("camera", {"camera": "front", "about": "away", "ok": False, "why": "no such device"})]
    assert (event["kind"], event["camera"], event["ok"], event["why"]) == ("camera", "front", False, "no such device")
    assert [line["event"] for line in desk.told] == ["camera_fault"]
    assert desk.hurries == 1


def test_a_lockdown_is_told_whoever_switched_it(desk: Desk) -> None:
    desk.notes.lockdown(True)
    written, (event,) = desk.written()
    assert written == [("lockdown", {"on": True})]
    assert (event["kind"], event["on"]) == ("lockdown", True)


def test_a_step_of_the_governor_is_an_entry_an_event_and_a_line(desk: Desk) -> None:
    body = {"step": "batch", "less": True, "why": "cgroup 85 %", "batch": 8, "extras": True, "detector_scale": 1.0,
            "frame_gap_ms": 0}  # fmt: skip
    desk.notes.governor(body)
    written, (event,) = desk.written()
    assert written == [("governor", body)]
    assert event["kind"] == "governor"
    assert event.items() >= body.items()
    assert desk.told == [{"event": "governor", **body}]
    assert desk.hurries == 1


def test_a_controller_is_told_when_it_comes_and_goes_and_fails_but_not_at_every_opening(desk: Desk) -> None:
    story = [
        View("unknown", False), View("unknown", False), View("unknown", True), View("locked", True),
        View("unlocked", True), View("locked", True), View("fault", True), View("offline", False),
    ]  # fmt: skip
    for view in story:
        desk.notes.doors({"main": {"inner": view}})
    _, events = desk.written()
    assert [(event["state"], event["answering"]) for event in events] == [
        ("unknown", True), ("fault", True), ("offline", False),
    ]  # fmt: skip
    assert desk.hurries == 6, "the state shows every change"


def test_last_words_are_on_disk_with_their_event_when_they_are_said(desk: Desk) -> None:
    desk.notes.hang("detect makes no progress", 5.0)
    written, (event,) = desk.written()
    body = {"what": "hang", "on": True, "why": "detect makes no progress"}
    assert written == [("alert", body)]
    assert body.items() <= event.items()
    assert desk.told == [{"event": "alert", **body}]


def test_last_words_to_a_journal_that_hangs_are_told_all_the_same(desk: Desk) -> None:
    desk.journal.stop()
    desk.notes.hang("journal makes no progress", 0.0)
    assert [line["event"] for line in desk.told] == ["alert"]


def test_a_safe_mode_is_an_entry_and_an_event_at_its_begin_and_its_end(desk: Desk) -> None:
    desk.notes.safe_mode(True, "the configuration is wrong")
    desk.notes.safe_mode(False, "")
    written, events = desk.written()
    assert [(kind, body["what"], body["on"]) for kind, body in written] == [
        ("alert", "safe_mode", True), ("alert", "safe_mode", False),
    ]  # fmt: skip
    assert [(event["kind"], event["on"]) for event in events] == [("alert", True), ("alert", False)]
    assert desk.hurries == 2
