"""A grant is now or never, and whatever becomes of it is told once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from faceedge.config import Door
from faceedge.door.link import GrantResult
from faceedge.publish import Publisher
from faceedge.types import Decision, Evidence

GRANT = Decision(
    "entry",
    7,
    0,
    "grant",
    "match",
    "trusted",
    "person-id",
    Evidence(0.9, float("inf"), 0.8, 3, 4, 100.0),
    100.5,
    ("main", "front", "gate"),
)
DENY = replace(GRANT, outcome="deny", reason="unknown", band="none", person=None)


class Link:
    """Takes every grant, or refuses with a reason."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal, self.sent, self.said = refusal, [], []

    def send_grant(self, door: str, **grant: Any) -> str | None:
        self.sent.append((door, grant))
        return self.refusal

    def publish_decision(self, body: dict[str, Any]) -> None:
        self.said.append(body)


class Desk:
    """A publisher with everything it tells."""

    def __init__(self, link: Link, *doors: Door, now: float = 100.2) -> None:
        self.link, self.told, self.retries = link, [], []
        self.publisher = Publisher(
            link, {"entry": doors}, self.told.append, lambda *track: self.retries.append(track), clock=lambda: now
        )

    def answer(self, verdict: str, controller: str = "main", why: str = "") -> None:
        token = self.link.sent[-1][1]["token"]
        self.publisher.result(GrantResult(token, "main", controller, verdict, why, 0.01))


def test_a_grant_is_told_when_the_controller_has_opened() -> None:
    desk = Desk(Link(), Door())
    desk.publisher.publish(GRANT)
    assert desk.told == []
    assert desk.publisher.is_waiting
    desk.answer("opened")
    assert [(e["outcome"], e["verdict"], e["latency_ms"]) for e in desk.told] == [("grant", "opened", 200.0)]
    assert not desk.publisher.is_waiting


def test_a_grant_past_its_deadline_is_never_sent() -> None:
    desk = Desk(Link(), Door(), now=100.51)
    desk.publisher.publish(GRANT)
    assert desk.link.sent == []
    assert desk.told[0]["verdict"] == "lost"
    assert "too late" in desk.told[0]["why"]
    assert desk.publisher.counters["late_publish_old"] == 1
    assert desk.retries == [("entry", 7, 0)]


def test_a_grant_without_a_link_is_lost_with_the_reason_and_may_be_decided_anew() -> None:
    desk = Desk(Link("no fresh challenge"), Door())
    desk.publisher.publish(GRANT)
    assert (desk.told[0]["verdict"], desk.told[0]["why"]) == ("lost", "no fresh challenge")
    assert desk.retries == [("entry", 7, 0)]
    assert not desk.publisher.is_waiting


def test_of_two_controllers_one_that_opens_is_enough_and_it_is_told_once() -> None:
    desk = Desk(Link(), Door(controllers=("left", "right")))
    desk.publisher.publish(GRANT)
    desk.answer("lost", "left")
    assert desk.told == []
    desk.answer("opened", "right")
    desk.answer("opened", "left")
    assert [event["verdict"] for event in desk.told] == ["opened"]


def test_a_refusal_by_the_controller_outweighs_a_lost_answer() -> None:
    desk = Desk(Link(), Door(controllers=("left", "right")))
    desk.publisher.publish(GRANT)
    desk.answer("refused", "left", "stale challenge")
    desk.answer("lost", "right")
    assert [(e["verdict"], e["why"]) for e in desk.told] == [("refused", "stale challenge")]


def test_what_a_listener_learns_holds_no_score() -> None:
    desk = Desk(Link(), Door())
    desk.publisher.publish(DENY)
    assert desk.link.said == [{"outcome": "deny", "reason": "unknown", "band": "none"}]
    assert desk.link.sent == []
    assert desk.told[0]["margin"] is None, "infinity is not JSON"


def test_a_door_that_demands_liveness_opens_for_nobody_while_there_is_no_model() -> None:
    desk = Desk(Link(), Door(liveness="required"))
    desk.publisher.publish(GRANT)
    assert desk.link.sent == []
    assert [(event["outcome"], event["reason"], event["verdict"]) for event in desk.told] == [
        ("deny", "no_liveness", None)
    ]


def test_a_door_that_opened_is_not_opened_again_because_another_one_is_away() -> None:
    desk = Desk(Link(), Door(name="front"), Door(name="gate"))
    desk.publisher.publish(GRANT)
    front, gate = (grant["token"] for _, grant in desk.link.sent)
    desk.publisher.result(GrantResult(gate, "gate", "main", "lost", "no verdict", 1.5))
    assert desk.retries == []
    desk.publisher.result(GrantResult(front, "front", "main", "opened", "", 0.1))
    assert desk.retries == []
    desk.publisher.publish(GRANT)
    for _, grant in desk.link.sent[2:]:
        desk.publisher.result(GrantResult(grant["token"], "any", "main", "lost", "no verdict", 1.5))
    assert desk.retries == [("entry", 7, 0)]


def test_a_grant_goes_only_to_the_doors_whose_rules_allow_it() -> None:
    desk = Desk(Link(), Door(name="front"), Door(name="gate"))
    desk.publisher.publish(replace(GRANT, doors=("gate",)))
    assert [door for door, _ in desk.link.sent] == ["gate"]


def test_a_grant_that_the_rules_were_not_asked_about_opens_nothing() -> None:
    desk = Desk(Link(), Door())
    desk.publisher.publish(replace(GRANT, doors=()))
    assert desk.link.sent == []
    assert [(event["outcome"], event["reason"]) for event in desk.told] == [("deny", "not_here")]


def test_a_grant_that_is_late_where_no_door_is_watched_is_written_down_and_harms_nobody() -> None:
    written: list[str] = []
    journal = SimpleNamespace(append=lambda kind, body, letters=(): written.append(kind), append_now=lambda *_: 0)
    publisher = Publisher(None, {}, lambda _event: None, lambda *_: None, clock=lambda: 101.0, journal=journal)
    publisher.publish(replace(GRANT, doors=("",)))
    assert written == ["decision", "verdict"]
