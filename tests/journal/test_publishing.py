"""What a publisher writes down, and that no grant leaves before it is on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceedge.config import Door
from faceedge.door.events import Letter
from faceedge.door.link import GrantResult
from faceedge.errors import StoreError
from faceedge.journal.chain import Chain, Keep
from faceedge.journal.reading import entries, reading
from faceedge.journal.writer import Journal
from faceedge.publish import Publisher
from faceedge.types import Decision, Evidence

SEEN = Evidence(0.9, float("inf"), 0.8, 3, 4, 100.0, poor=("too dark",))
GRANT = Decision("entry", 7, 0, "grant", "match", "trusted", "person-id", SEEN, 100.5, ("main", "side"))
DENY = replace(GRANT, outcome="deny", reason="unknown", band="none", person=None, doors=())


class Desk:
    """A publisher whose journal and link write into one list, in order."""

    def __init__(self, *, why_not: str = "", doors: tuple[Door, ...] = (Door(),), slow_s: float = 0.0) -> None:
        self.why_not, self.slow_s, self.now = why_not, slow_s, 100.2
        self.order: list[tuple[str, dict[str, Any]]] = []
        self.letters: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.retries: list[tuple[str, int, int]] = []
        self.publisher = Publisher(
            self, {"entry": doors}, self.told.append, lambda *track: self.retries.append(track),
            clock=lambda: self.now, journal=self, limits={"match": 0.6},
        )  # fmt: skip

    def append(self, kind: str, body: dict[str, Any], letters: Sequence[Letter] = ()) -> None:
        self.order.append((kind, body))
        self.letters += [json.loads(letter.payload) for letter in letters]

    def append_now(self, kind: str, body: dict[str, Any], wait_s: float) -> int:
        assert 0 < wait_s <= 0.5, "a wait must be bounded"
        self.now += self.slow_s
        if self.why_not:
            raise StoreError(self.why_not)
        self.order.append((kind, body))
        return 1

    def send_grant(self, door: str, **grant: Any) -> str | None:
        self.order.append(("sent", {"door": door, **grant}))
        return None

    def publish_decision(self, body: dict[str, Any]) -> None:
        self.order.append(("said", body))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.order]

    def answer(self, verdict: str = "opened", why: str = "") -> None:
        sent = next(body for kind, body in reversed(self.order) if kind == "sent")
        self.publisher.result(GrantResult(sent["token"], sent["door"], "main", verdict, why, 0.0123))


def test_a_grant_is_written_before_it_is_sent_and_its_verdict_after() -> None:
    desk = Desk()
    desk.publisher.publish(GRANT)
    desk.answer()
    assert desk.kinds == ["decision", "grant", "sent", "verdict", "said"]
    bodies = dict(desk.order)
    assert bodies["grant"]["doors"] == ["main"]
    assert (bodies["verdict"]["verdict"], bodies["verdict"]["answer_ms"]) == ("opened", 12.3)
    assert bodies["decision"]["limits"] == {"match": 0.6}
    assert bodies["decision"]["age_ms"] == 200.0
    ids = {bodies[kind]["id"] for kind in ("decision", "grant", "verdict")}
    assert ids == {desk.told[0]["id"]}


def test_an_opened_grant_is_one_event_that_says_who_and_holds_no_score() -> None:
    desk = Desk()
    desk.publisher.publish(GRANT)
    assert desk.letters == []
    desk.answer()
    (event,) = desk.letters
    assert event.keys() == {
        "id", "kind", "time_ms", "decision", "camera", "doors", "outcome", "reason", "band", "verdict", "why", "sub",
    }  # fmt: skip
    assert (event["kind"], event["verdict"], event["sub"], event["doors"]) == (
        "decision",
        "opened",
        "person-id",
        ["main"],
    )
    assert event["decision"] == desk.told[0]["id"]


@pytest.mark.parametrize(("verdict", "why"), [("refused", "too late"), ("lost", "no verdict")])
def test_a_grant_that_opened_nothing_is_an_event_that_does_not_say_who(verdict: str, why: str) -> None:
    desk = Desk()
    desk.publisher.publish(GRANT)
    desk.answer(verdict, why)
    (event,) = desk.letters
    assert (event["outcome"], event["verdict"], event["why"], event["sub"]) == ("grant", verdict, why, "")


def test_a_refusal_is_an_event_without_a_verdict() -> None:
    desk = Desk()
    desk.publisher.publish(DENY)
    (event,) = desk.letters
    assert (event["outcome"], event["reason"], event["verdict"], event["sub"]) == ("deny", "unknown", None, "")


def test_a_grant_that_cannot_be_written_is_an_event_that_says_so() -> None:
    desk = Desk(why_not="disk full")
    desk.publisher.publish(GRANT)
    (event,) = desk.letters
    assert (event["verdict"], event["why"], event["sub"]) == ("unsent", "disk full", "")


def test_a_lockdown_that_comes_while_a_grant_is_written_down_still_stops_it() -> None:
    desk = Desk()
    desk.publisher.is_locked = lambda: "grant" in desk.kinds
    desk.publisher.publish(GRANT)
    assert desk.kinds == ["decision", "grant", "verdict", "said"]
    (event,) = desk.letters
    assert (event["verdict"], event["why"][:8]) == ("lost", "lockdown")


def test_one_entry_covers_a_grant_to_several_doors() -> None:
    desk = Desk(doors=(Door(), Door(name="side")))
    desk.publisher.publish(GRANT)
    assert desk.kinds == ["decision", "grant", "sent", "sent"]
    assert desk.order[1][1]["doors"] == ["main", "side"]


def test_a_grant_that_cannot_be_written_is_not_sent_and_told_as_a_refusal() -> None:
    desk = Desk(why_not="the disk is full")
    desk.publisher.publish(GRANT)
    assert "sent" not in desk.kinds
    assert [(e["outcome"], e["reason"], e["verdict"], e["why"]) for e in desk.told] == [
        ("deny", "journal", None, "the disk is full")
    ]
    assert ("said", {"outcome": "deny", "reason": "journal", "band": "none"}) in desk.order
    assert desk.retries == [("entry", 7, 0)], "it may be decided anew: the disk may be back"
    assert dict(desk.order)["verdict"]["verdict"] == "unsent"
    assert not desk.publisher.is_waiting


def test_a_grant_that_the_disk_has_made_late_is_not_sent() -> None:
    desk = Desk(slow_s=0.35)
    desk.publisher.publish(GRANT)
    assert "sent" not in desk.kinds
    assert desk.told[0]["why"].startswith("too late")
    assert dict(desk.order)["verdict"]["verdict"] == "lost"


def test_a_refusal_is_one_entry() -> None:
    desk = Desk()
    desk.publisher.publish(DENY)
    assert desk.kinds == ["decision", "said"]


def test_a_lost_grant_says_at_which_door_and_why() -> None:
    desk = Desk()
    desk.publisher.publish(GRANT)
    desk.answer("lost", "no verdict")
    verdict = dict(desk.order)["verdict"]
    assert (verdict["door"], verdict["verdict"], verdict["why"], verdict["answer_ms"]) == (
        "main", "lost", "no verdict", None,
    )  # fmt: skip


def test_numbers_that_are_none_are_written_as_nothing() -> None:
    desk = Desk()
    desk.publisher.publish(replace(DENY, evidence=replace(SEEN, similarity=float("nan"))))
    assert desk.order[0][1]["similarity"] is None


@pytest.mark.parametrize("is_broken", [False, True])
def test_with_the_real_journal(tmp_path: Path, is_broken: bool) -> None:
    state = tmp_path / "state"
    state.mkdir()
    if is_broken:
        (state / "journal.db").write_bytes(b"rubbish " * 2000)
    desk = Desk()
    journal = Journal.of(state, Keep(), lambda _: None)
    journal.start()
    desk.publisher.realtime = False  # a slow test machine must not be the reason
    desk.publisher.journal = journal
    desk.publisher.publish(GRANT)
    assert ("sent" in desk.kinds) is not is_broken
    if not is_broken:
        desk.answer()
    assert journal.stop()
    if not is_broken:
        with reading(state / "journal.db") as connection:
            kinds = [entry.draft.kind for entry in entries(connection)]
        assert kinds == ["decision", "grant", "verdict", "checkpoint"]
        Chain.open(state).close()


def test_numbers_of_a_door_are_written_down_beside_the_usual_ones_and_whether_they_were_met() -> None:
    desk = Desk(doors=(Door(name="main"), Door(name="lab")))
    desk.publisher.own_limits = {"lab": {"match": 0.8}, "shed": {"match": 0.5}}
    desk.publisher.publish(replace(GRANT, outcome="deny", reason="unknown", doors=()))
    desk.publisher.publish(replace(GRANT, fit=("main",), doors=("main",)))
    first, second = [body for kind, body in desk.order if kind == "decision"]
    assert (first["own_limits"], first["fit"]) == ({"lab": {"match": 0.8}}, [])
    assert (second["own_limits"], second["fit"], second["limits"]) == (
        {"lab": {"match": 0.8}},
        ["main"],
        {"match": 0.6},
    )


def test_decisions_are_counted_by_the_reason_that_was_told() -> None:
    desk = Desk(doors=(Door(liveness="required"),))
    desk.publisher.publish(GRANT)
    assert desk.publisher.counters["judged_deny_no_liveness"] == 1
