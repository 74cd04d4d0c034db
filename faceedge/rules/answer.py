"""May this person pass this door now? Yes or no, the reason as one word, and the sentences behind it.

Without any rule for a door everybody enrolled may pass it. As soon as one rule names it, only what a rule allows does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from faceedge.rules.book import ANY_DOOR, Book, Rule, Standing

NOBODY: Mapping[str, float] = {}

NEAREST = ("escort_missing", "clock", "not_now", "not_here", "not_yet", "expired", "unknown", "blocked")
"""Reasons to refuse, from the one that is nearest to passing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """reason: `rule` or `no_rules` when allowed, else one of NEAREST. rule: id of the rule that allowed it."""

    allowed: bool
    reason: str
    because: tuple[str, ...]
    rule: str | None = None


def decide(book: Book, person: str, door: str, now: datetime | None, company: Mapping[str, float] = NOBODY) -> Answer:
    """Answers for the person (id) at a door. now: aware, None when no clock can be trusted.

    company: persons (ids) recognised at the same door, and how many seconds lie between them and this person.
    """
    standing = book.people.get(person)
    if standing is None:
        return _no("unknown", "nobody of this id is enrolled")
    return _barred(standing, now) or _ruled(book, person, standing.groups, door, now, company)


def _no(reason: str, *because: str) -> Answer:
    return Answer(False, reason, because)


def _barred(standing: Standing, now: datetime | None) -> Answer | None:
    """What no rule can mend."""
    if standing.blocked:
        return _no("blocked", "the person is on the block list")
    begins, ends = standing.valid_from, standing.valid_until
    if now is None and (begins or ends):
        return _no("clock", "the person is valid between dates, and no clock can be trusted now")
    if now is not None and begins and now < begins:
        return _no("not_yet", f"the person is valid from {begins.isoformat()} on")
    if now is not None and ends and now >= ends:
        return _no("expired", f"the person was valid until {ends.isoformat()}")
    return None


def _ruled(
    book: Book, person: str, groups: frozenset[str], door: str, now: datetime | None, company: Mapping[str, float]
) -> Answer:
    named = book.at(door)
    if not named:
        return Answer(True, "no_rules", (f"no rule names door {door}: everybody enrolled may pass",))
    mine = [rule for rule in named if rule.group is None or rule.group in groups]
    if not mine:
        names = ", ".join(sorted({book.group_name(rule.group) for rule in named}))
        return _no("not_here", f"the rules for door {door} are for other groups: {names}")
    found = [(rule, *_verdict(book, rule, person, door, now, company)) for rule in mine]
    for rule, reason, sentence in found:
        if reason == "rule":
            return Answer(True, reason, (sentence,), rule.id)
    return _no(min((reason for _, reason, _ in found), key=NEAREST.index), *(sentence for *_, sentence in found))


def _verdict(
    book: Book, rule: Rule, person: str, door: str, now: datetime | None, company: Mapping[str, float]
) -> tuple[str, str]:
    """Reason and sentence of one rule that is for this person and this door."""
    said = describe(book, rule)
    if now is None:
        group = book.groups.get(rule.group) if rule.group else None
        if rule.schedule or group is None or not group.is_always:
            return "clock", f"{said}; no clock can be trusted now, and it does not hold without one"
    elif rule.schedule and not rule.schedule.is_open(now, book.holidays):
        return "not_now", f"{said}; there it is {_wall(book, rule, now)}"
    if rule.escort and not _escorted(book, rule, person, door, now, company):
        return "escort_missing", f"{said}; none of them was seen"
    return "rule", f"{said}"


def _escorted(
    book: Book, rule: Rule, person: str, door: str, now: datetime | None, company: Mapping[str, float]
) -> bool:
    """Whether somebody else of the escort group is there who may pass without any escort."""
    return any(
        other != person
        and 0 <= age_s <= rule.within_s
        and other in book.people
        and rule.escort in book.people[other].groups
        and decide(book, other, door, now).allowed
        for other, age_s in company.items()
    )


def describe(book: Book, rule: Rule) -> str:
    """The rule as a sentence."""
    door = "every door" if rule.door == ANY_DOOR else f"door {rule.door}"
    hours = f"at {rule.schedule}" if rule.schedule else "at any time"
    escort = f" when somebody of {book.group_name(rule.escort)} is seen within {rule.within_s} s" if rule.escort else ""
    return f"rule {rule.id[:8]} lets {book.group_name(rule.group)} through {door} {hours}{escort}"


def _wall(book: Book, rule: Rule, now: datetime) -> str:
    assert rule.schedule
    wall = rule.schedule.wall(now)
    holiday = ", a holiday" if wall.date() in book.holidays else ""
    return f"{wall:%A %Y-%m-%d %H:%M}{holiday}"
