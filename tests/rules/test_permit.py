"""From votes to doors: what the judge grants passes only where the rules allow it, whatever is combined."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceedge.config import Decide
from faceedge.decide import Judge
from faceedge.fit import Thresholds
from faceedge.permit import Permit
from faceedge.rules.answer import decide
from faceedge.rules.book import Book, Group, Rule, Standing
from faceedge.rules.schedule import Schedule, Window
from faceedge.types import Assessment, Decision, Evidence, Face, Match, Shot, Template
from tests.rules.made_up import DOORS, PEOPLE, books, moments

NOW = datetime(2026, 6, 10, 12, tzinfo=timezone.utc)
THRESHOLDS = Thresholds(grey=0.5, match=0.6, strict=0.7)
STAFF, GUEST = Standing(groups=frozenset({"s"})), Standing(groups=frozenset({"g"}))
GROUPS = {"s": Group("s", "staff"), "g": Group("g", "guests")}
ESCORTED = Book(
    {"anna": STAFF, "guest": GUEST, "other": GUEST}, GROUPS, (Rule("1", "s", "main"), Rule("2", "g", "main", None, "s"))
)


def decision(person: str | None, outcome: str = "grant", track: int = 1, at_s: float = 100.0, **rest: int) -> Decision:
    evidence = Evidence(0.9, math.inf, 0.9, 3, 3, at_s)
    return Decision("entry", track, rest.get("segment", 0), outcome, "match", "trusted", person, evidence, at_s + 0.5)  # type: ignore[arg-type]


class Gate:
    """A permit with a rule set and a clock that can be changed."""

    def __init__(self, book: Book | None, doors: tuple[str, ...] = ("main",), now: datetime | None = NOW) -> None:
        self.book, self.now = book, now
        self.retries: list[tuple[str, int, int]] = []
        self.is_locked = False
        self.shut: set[str] = set()
        self.permit = Permit(
            lambda: self.book, {"entry": doors}, lambda: self.now, self._retry, lambda: self.is_locked,
            lambda camera: "it stands still" if camera in self.shut else "",
        )  # fmt: skip

    def _retry(self, camera: str, track: int, segment: int) -> None:
        self.retries.append((camera, track, segment))

    def __call__(self, *of: object, **rest: object) -> tuple[str, str, tuple[str, ...]]:
        made = self.permit(decision(*of, **rest))  # type: ignore[arg-type]
        return made.outcome, made.reason, made.doors


def test_without_rules_a_grant_is_good_for_every_door_of_its_camera() -> None:
    assert Gate(Book({"anna": STAFF}), ("main", "lab"))("anna") == ("grant", "match", ("main", "lab"))


@pytest.mark.parametrize("outcome", ["grant", "review"])
def test_rules_are_asked_only_about_doors_whose_own_numbers_are_met(outcome: str) -> None:
    gate = Gate(Book({"anna": STAFF}), ("main", "lab"))
    for fit, left in ((("lab",), ("lab",)), (None, ("main", "lab")), ((), ())):
        made = gate.permit(replace(decision("anna", outcome), fit=fit))
        assert made.doors == left
        assert (made.outcome == "deny") == (left == ())


def test_nobody_is_an_escort_at_a_door_whose_numbers_they_did_not_meet() -> None:
    gate = Gate(replace(ESCORTED, rules=(Rule("1", "s", "main"), Rule("2", "g", "main", None, "s"))), ("main", "lab"))
    gate.permit(replace(decision("anna"), fit=("lab",)))
    assert "main" not in gate("guest", track=2, at_s=101.0)[2]


def test_a_grant_is_left_to_the_doors_whose_rules_allow_it() -> None:
    gate = Gate(replace(ESCORTED, rules=(Rule("1", "g", "main"), Rule("2", "s", "lab"))), ("main", "lab"))
    assert gate("anna") == ("grant", "match", ("lab",))
    assert gate("guest") == ("grant", "match", ("main",))


def test_rules_that_cannot_be_read_open_nothing() -> None:
    assert Gate(None)("anna") == ("deny", "rules_unreadable", ())
    assert Gate(None)("anna", "review") == ("deny", "rules_unreadable", ())


@pytest.mark.parametrize("outcome", ["grant", "review"])
def test_under_lockdown_nobody_passes_and_afterwards_everybody_as_before(outcome: str) -> None:
    gate = Gate(Book({"anna": STAFF}))
    gate.is_locked = True
    assert gate("anna", outcome) == ("deny", "lockdown", ())
    gate.is_locked = False
    assert gate("anna", outcome) == (outcome, "match", ("main",))


def test_a_lockdown_is_asked_about_before_rules_that_cannot_be_read() -> None:
    gate = Gate(None)
    gate.is_locked = True
    assert gate("anna") == ("deny", "lockdown", ())


@pytest.mark.parametrize("outcome", ["grant", "review"])
def test_nobody_passes_by_a_camera_that_stands_still_and_everybody_by_another(outcome: str) -> None:
    gate = Gate(Book({"anna": STAFF}))
    gate.shut = {"entry"}
    assert gate("anna", outcome) == ("deny", "camera", ())
    gate.shut = {"yard"}
    assert gate("anna", outcome) == (outcome, "match", ("main",))


def test_who_was_seen_only_by_a_camera_that_stands_still_escorts_nobody() -> None:
    gate = Gate(ESCORTED)
    gate.shut = {"entry"}
    gate("anna")
    gate.shut = set()
    assert gate("guest", track=2) == ("deny", "escort_missing", ())


def test_who_was_removed_a_moment_ago_is_nobody() -> None:
    assert Gate(Book({"anna": STAFF}))("boris") == ("deny", "unknown", ())


@pytest.mark.parametrize("outcome", ["grant", "review"])
def test_a_blocked_person_is_refused_already_in_the_grey_zone_and_the_face_stays_refused(outcome: str) -> None:
    gate = Gate(Book({"anna": replace(STAFF, blocked=True), "boris": STAFF}))
    assert gate("anna", outcome) == ("deny", "blocked", ())
    assert gate("boris") == ("deny", "blocked", ()), "the same face, now taken for another"
    assert gate("boris", segment=1) == ("grant", "match", ("main",))
    assert gate("boris", track=2) == ("grant", "match", ("main",))


def test_a_refusal_by_the_judge_stays_as_it_is() -> None:
    refusal = decision(None, "deny")
    assert Gate(None).permit(refusal) is refusal


def test_the_reason_is_that_of_the_door_nearest_to_opening() -> None:
    office = Schedule((Window.parse("mon-fri 08:00-09:00"),), "UTC")
    gate = Gate(Book({"anna": STAFF}, GROUPS, (Rule("1", "s", "main", office), Rule("2", "g", "lab"))), ("lab", "main"))
    assert gate("anna") == ("deny", "not_now", ())
    gate.now = None
    assert gate("anna") == ("deny", "clock", ())


def test_an_escort_opens_the_door_for_a_guest_who_comes_after_and_not_much_later() -> None:
    gate = Gate(ESCORTED)
    assert gate("guest", at_s=99.0) == ("deny", "escort_missing", ())
    assert gate("anna", track=2, at_s=100.0)[0] == "grant"
    assert gate("guest", at_s=115.0)[0] == "grant"
    assert gate("guest", at_s=115.1) == ("deny", "escort_missing", ())


def test_a_guest_who_waits_is_decided_anew_when_the_escort_comes_and_guests_do_not_wake_each_other() -> None:
    gate = Gate(ESCORTED)
    gate("guest", track=1)
    gate("other", track=2)
    assert gate.retries == []
    gate("anna", track=3)
    assert gate.retries == [("entry", 1, 0), ("entry", 2, 0)]
    gate("anna", track=3, at_s=101.0)
    assert len(gate.retries) == 2


def test_an_escort_in_the_grey_zone_or_at_another_door_is_nobody() -> None:
    gate = Gate(ESCORTED)
    gate("anna", "review", track=2)
    assert gate("guest")[1] == "escort_missing"
    gate.permit(replace(decision("anna", track=3), camera="garage"))
    assert gate("guest")[1] == "escort_missing"


# Everything at once: the real judge, the real permit, any rules, any shots.

shots = st.tuples(
    st.sampled_from((*PEOPLE, None)),
    st.sampled_from((0.3, 0.55, 0.65, 0.9)),  # similarity
    st.sampled_from((0.2, 0.5, 0.9)),  # quality
    st.sampled_from((0.0, 0.3)),  # margin
    st.sampled_from((60, 120)),  # px
)


def judged(judge: Judge, seen: tuple[str | None, float, float, float, int], number: int) -> list[Decision]:
    person, similarity, quality, margin, size_px = seen
    now = 100.0 + number / 10
    face = Face(np.array([0, 0, size_px, size_px], np.float32), 1.0, np.zeros((5, 2), np.float32))
    shot = Shot("entry", 1, number, now, face, np.full((4, 4, 3), number, np.uint8), Assessment(quality))
    if not judge.is_usable(shot):
        return judge.poor(shot, now)
    template = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")
    return judge.vote(shot, template, Match(person, similarity, margin), now)


def is_good(seen: tuple[str | None, float, float, float, int]) -> bool:
    _, similarity, quality, margin, size_px = seen
    needed = THRESHOLDS.match if quality >= 0.6 else THRESHOLDS.strict
    return similarity >= needed and quality >= 0.4 and margin >= 0.02 and size_px >= 80


@settings(max_examples=100, deadline=None)
@given(books, st.lists(shots, min_size=3, max_size=12), st.none() | moments)
def test_no_combination_grants_without_match_quality_schedule_validity_and_a_free_name(
    held: Book, seen: list[tuple[str | None, float, float, float, int]], now: datetime | None
) -> None:
    judge = Judge(Decide(cooldown_s=0), THRESHOLDS, lambda a, b: float(a.embedding @ b.embedding))
    permit = Permit(lambda: held, {"entry": DOORS}, lambda: now, lambda *_: None, lambda: False)
    company: dict[str, float] = {}
    for number, one in enumerate(seen):
        for made in map(permit, judged(judge, one, number)):
            person = one[0]
            if made.outcome != "grant":
                assert made.outcome == "review" or made.doors == ()
                continue
            assert made.person == person
            assert sum(is_good(other) and other[0] == person for other in seen[max(0, number - 12) : number + 1]) >= 3
            assert not held.is_blocked(made.person)
            _in_order(held.people[made.person], now)
            assert made.doors
            for door in made.doors:
                assert decide(held, made.person, door, now, company | dict.fromkeys(PEOPLE, 0.0)).allowed
                _in_hours(held, made.person, door, now)


def _in_order(standing: Standing, now: datetime | None) -> None:
    far = timedelta(days=9999)
    if now is None:
        assert standing.valid_from is standing.valid_until is None
    else:
        assert (standing.valid_from or now) <= now < (standing.valid_until or now + far)


def _in_hours(held: Book, person: str, door: str, now: datetime | None) -> None:
    """Some rule of this door is for this person and open, unless no rule names the door."""
    named = [rule for rule in held.rules if rule.door in (door, "*")]
    is_open: Callable[[Rule], bool] = lambda rule: (  # noqa: E731
        rule.schedule is None or (now is not None and rule.schedule.is_open(now, held.holidays))
    )
    mine = [rule for rule in named if rule.group is None or rule.group in held.people[person].groups]
    assert not named or any(map(is_open, mine))


@settings(max_examples=80, deadline=None)
@given(books, st.sampled_from(PEOPLE), st.sampled_from(DOORS), st.none() | moments)
def test_the_gate_agrees_with_what_a_check_answers(held: Book, person: str, door: str, now: datetime | None) -> None:
    answer = decide(held, person, door, now)
    made = Gate(held, (door,), now).permit(decision(person))
    assert (made.outcome == "grant") == answer.allowed
    assert made.doors == ((door,) if answer.allowed else ())
    assert answer.allowed or made.reason == answer.reason
