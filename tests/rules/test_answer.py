"""May this person pass? Stories first, then every combination against the conditions written out one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceedge.errors import BadInput
from faceedge.rules.answer import NEAREST, decide
from faceedge.rules.book import ANY_DOOR, Book, Group, Rule, Standing
from faceedge.rules.explain import remedies
from faceedge.rules.schedule import Schedule, Window
from tests.rules.made_up import DOORS, PEOPLE, books, moments

OFFICE = Schedule((Window.parse("mon-fri 08:00-18:00"),), "UTC")
WEDNESDAY, SUNDAY = datetime(2026, 6, 10, 12, tzinfo=timezone.utc), datetime(2026, 6, 14, 12, tzinfo=timezone.utc)
STAFF, GUESTS = Group("s", "staff"), Group("g", "guests")


def book(*rules: Rule, staff: Group = STAFF, **people: Standing) -> Book:
    people.setdefault("anna", Standing(groups=frozenset({"s"})))
    people.setdefault("guest", Standing(groups=frozenset({"g"})))
    return Book(people, {"s": staff, "g": GUESTS}, rules)


def rule(group: str | None = "s", door: str = "main", **rest: object) -> Rule:
    return Rule("0123456789", group, door, **rest)  # type: ignore[arg-type]


def test_without_any_rule_everybody_enrolled_may_pass_and_nobody_else() -> None:
    assert decide(book(), "anna", "main", SUNDAY).reason == "no_rules"
    assert decide(book(), "anna", "main", None).allowed, "no rule asks for the time"
    assert decide(book(), "eve", "main", SUNDAY).reason == "unknown"


def test_one_rule_closes_its_door_to_all_others_and_no_other_door() -> None:
    rules = book(rule())
    assert decide(rules, "anna", "main", SUNDAY).allowed
    assert decide(rules, "guest", "main", SUNDAY).reason == "not_here"
    assert decide(rules, "guest", "lab", SUNDAY).allowed
    assert decide(book(rule(door=ANY_DOOR)), "guest", "lab", SUNDAY).reason == "not_here"
    assert decide(book(rule(), rule(None)), "guest", "main", SUNDAY).allowed


def test_outside_the_hours_the_answer_says_what_time_it_is_there() -> None:
    rules = book(rule(schedule=OFFICE))
    assert decide(rules, "anna", "main", WEDNESDAY).allowed
    refusal = decide(rules, "anna", "main", SUNDAY)
    assert (refusal.allowed, refusal.reason) == (False, "not_now")
    assert "Sunday 2026-06-14 12:00" in refusal.because[0]
    assert remedies(rules, "anna", "main", SUNDAY, refusal) == (
        "rule 01234567: opens next on Monday 2026-06-15 at 08:00 UTC",
    )


def test_without_a_clock_only_groups_marked_always_pass_by_rules_without_hours() -> None:
    always = replace(STAFF, is_always=True)
    assert decide(book(rule()), "anna", "main", None).reason == "clock"
    assert decide(book(rule(), staff=always), "anna", "main", None).allowed
    assert decide(book(rule(schedule=OFFICE), staff=always), "anna", "main", None).reason == "clock"
    assert decide(book(rule(None), staff=always), "anna", "main", None).reason == "clock"


def test_validity_has_a_first_and_a_last_moment_and_needs_a_clock() -> None:
    visit = Standing(WEDNESDAY, WEDNESDAY + timedelta(hours=1))
    rules = book(anna=visit)
    moments = (timedelta(seconds=-1), timedelta(0), timedelta(seconds=3599), timedelta(hours=1))
    answers = [decide(rules, "anna", "main", WEDNESDAY + after).reason for after in moments]
    assert answers == ["not_yet", "no_rules", "no_rules", "expired"]
    assert decide(rules, "anna", "main", None).reason == "clock"
    with pytest.raises(BadInput, match="ends before it begins"):
        Standing(WEDNESDAY, WEDNESDAY)


def test_a_blocked_person_is_refused_whatever_else_holds() -> None:
    blocked = Standing(blocked=True, groups=frozenset({"s"}))
    assert decide(book(rule(), anna=blocked), "anna", "main", WEDNESDAY).reason == "blocked"
    assert decide(book(anna=blocked), "anna", "main", None).reason == "blocked"


def test_an_escort_must_be_somebody_else_of_that_group_and_there_in_time() -> None:
    rules = book(rule(), rule("g", escort="s", within_s=10))
    for company, allowed in (({}, False), ({"anna": 10.0}, True), ({"anna": 10.1}, False), ({"guest": 0.0}, False)):
        answer = decide(rules, "guest", "main", WEDNESDAY, company)
        assert (answer.allowed, answer.reason) == (allowed, "rule" if allowed else "escort_missing")


def test_nobody_escorts_who_may_not_pass_alone() -> None:
    rules = (rule(), rule("g", escort="s"), rule("s", "lab", escort="s"), rule("g", "lab", escort="s"))
    late = book(rule(schedule=OFFICE), rules[1])
    assert decide(late, "guest", "main", SUNDAY, {"anna": 1.0}).reason == "escort_missing"
    blocked = book(*rules, anna=Standing(blocked=True, groups=frozenset({"s"})))
    assert not decide(blocked, "guest", "main", WEDNESDAY, {"anna": 1.0}).allowed
    assert not decide(book(*rules), "guest", "lab", WEDNESDAY, {"anna": 1.0}).allowed


def test_two_who_need_an_escort_do_not_escort_each_other() -> None:
    guests = {name: Standing(groups=frozenset({"g"})) for name in ("guest", "other")}
    rules = book(rule("g", escort="g"), **guests)
    assert decide(rules, "guest", "main", WEDNESDAY, {"other": 1.0}).reason == "escort_missing"


@pytest.mark.parametrize("door", ["", "Main", "a b", "*x", "../up"])
def test_a_rule_names_a_door_as_the_configuration_does(door: str) -> None:
    with pytest.raises(BadInput, match="name of a door"):
        rule(door=door)


def may_pass_alone(held: Book, person: str, door: str, now: datetime | None) -> list[Rule] | None:
    """Written anew from the documentation: the rules that hold but for their escort; None: no rule is asked."""
    here = [one for one in held.rules if one.door in (door, ANY_DOOR)]
    if not here:
        return None
    mine = [one for one in here if one.group is None or one.group in held.people[person].groups]
    if now is None:
        return [one for one in mine if one.group and held.groups[one.group].is_always and one.schedule is None]
    return [one for one in mine if one.schedule is None or one.schedule.is_open(now, held.holidays)]


def is_in_order(held: Book, person: str, now: datetime | None) -> bool:
    one = held.people.get(person)
    if one is None or one.blocked or (now is None and (one.valid_from or one.valid_until)):
        return False
    return now is None or ((one.valid_from or now) <= now and (one.valid_until is None or now < one.valid_until))


def expected(
    held: Book, person: str, door: str, now: datetime | None, company: dict[str, float], *, alone: bool = False
) -> bool:
    if not is_in_order(held, person, now):
        return False
    holding = may_pass_alone(held, person, door, now)
    if holding is None or any(one.escort is None for one in holding):
        return True
    return not alone and any(
        other != person
        and age_s <= one.within_s
        and one.escort in held.people.get(other, Standing()).groups
        and expected(held, other, door, now, {}, alone=True)
        for one in holding
        for other, age_s in company.items()
    )


@settings(max_examples=80, deadline=None)
@given(
    books,
    st.sampled_from(PEOPLE),
    st.sampled_from(DOORS),
    st.none() | moments,
    st.dictionaries(st.sampled_from(PEOPLE), st.floats(0, 130)),
)
def test_the_answer_is_yes_exactly_when_every_condition_holds(
    held: Book, person: str, door: str, now: datetime | None, company: dict[str, float]
) -> None:
    answer = decide(held, person, door, now, company)
    assert answer.allowed == expected(held, person, door, now, company)
    assert answer.because
    assert answer.allowed == (answer.reason in ("rule", "no_rules"))
    assert answer.allowed or answer.reason in NEAREST
    assert bool(remedies(held, person, door, now, answer)) != answer.allowed
