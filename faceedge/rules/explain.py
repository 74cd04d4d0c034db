"""What would have to change for a refused person to pass, in sentences an operator can act upon."""

from __future__ import annotations

from datetime import datetime

from faceedge.rules.answer import Answer
from faceedge.rules.book import Book, Rule

_FIXED = {
    "unknown": "enrol the person: faceedge enroll NAME IMAGE…",
    "blocked": "take the person off the block list: faceedge people set NAME --unblock",
    "not_yet": "let the validity begin earlier: faceedge people set NAME --valid-from DATE",
    "expired": "let the validity last longer: faceedge people set NAME --valid-until DATE",
    "clock": "give the device a clock it can trust (network time), or use a group marked always",
}


def remedies(book: Book, person: str, door: str, now: datetime | None, answer: Answer) -> tuple[str, ...]:
    """Nothing when the person may pass; else each way to change that."""
    if answer.allowed:
        return ()
    if answer.reason in _FIXED:
        return (_FIXED[answer.reason],)
    named = book.at(door)
    if answer.reason == "not_here":
        names = sorted({book.group_name(rule.group) for rule in named})
        return tuple(f"put the person into group {name}: faceedge people set NAME --group {name}" for name in names)
    groups = book.people[person].groups
    mine = [rule for rule in named if rule.group is None or rule.group in groups]
    return tuple(_hint(book, rule, now, answer.reason) for rule in mine)


def _hint(book: Book, rule: Rule, now: datetime | None, reason: str) -> str:
    if rule.escort and reason == "escort_missing":
        who = book.group_name(rule.escort)
        return f"rule {rule.id[:8]}: somebody of {who} who may pass here must be seen within {rule.within_s} s"
    if now is None or rule.schedule is None:
        return f"rule {rule.id[:8]}: holds once the clock can be trusted"
    opens = rule.schedule.opens_next(now, book.holidays)
    when = f"on {opens:%A %Y-%m-%d at %H:%M} {rule.schedule.zone}" if opens else "not within two weeks"
    return f"rule {rule.id[:8]}: opens next {when}"
