"""What the rows of groups, rules and holidays hold before they are sealed, and what they are bound to. Pure.

A body of a later version, with keys unknown here, is refused: what this version would overlook may forbid something.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

from faceedge.errors import BadInput, StoreError
from faceedge.rules.book import Rule, Standing
from faceedge.rules.schedule import Schedule, Window

EVERYONE = "everyone"
"""Stands for everybody enrolled where a group is named; no group may be called so."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """A date on which the hours of `holiday` count. name: may be empty."""

    id: str
    day: date
    name: str


def standing_context(person_id: str) -> str:
    """What the sealed standing of a person is bound to."""
    return f"people/{person_id}/standing"


def group_context(group_id: str, is_always: bool) -> str:
    """What the sealed name of a group is bound to; its mark is in the clear, and proven by this."""
    return f"groups/{group_id}/name/{int(is_always)}"


def membership_context(key: str, person_id: str, group_id: str) -> str:
    """What the proof of a membership is bound to."""
    return f"memberships/{key}/{person_id}/{group_id}"


def body_context(table: str, key: str, *owners: str | None) -> str:
    """What a sealed body is bound to. owners: ids that lie beside it in the clear."""
    return "/".join((table, key, "body", *(owner or "-" for owner in owners)))


def standing_to(standing: Standing) -> bytes:
    """Validity as unix seconds, and whether blocked."""
    return packed(
        valid_from=_seconds(standing.valid_from), valid_until=_seconds(standing.valid_until), blocked=standing.blocked
    )


def standing_from(body: bytes, person_id: str) -> Standing:
    """What `standing_to` made, without groups."""
    row = unpacked(body, f"people/{person_id}", {"valid_from", "valid_until", "blocked"})
    return Standing(_moment(row["valid_from"]), _moment(row["valid_until"]), bool(row["blocked"]))


def rule_to(rule: Rule) -> bytes:
    """Door, hours, zone and escort time of a rule."""
    hours = [str(window) for window in rule.schedule.windows] if rule.schedule else []
    zone = rule.schedule.zone if rule.schedule else ""
    return packed(door=rule.door, hours=hours, zone=zone, within_s=rule.within_s)


def rule_from(body: bytes, key: str, group: str | None, escort: str | None) -> Rule:
    """What `rule_to` made, with what lies beside it."""
    row = unpacked(body, f"rules/{key}", {"door", "hours", "zone", "within_s"})
    try:
        windows = tuple(Window.parse(text) for text in row["hours"])
        schedule = Schedule(windows, row["zone"]) if windows else None
        return Rule(key, group, row["door"], schedule, escort, row["within_s"])
    except BadInput as error:
        raise StoreError(f"gallery.db: rules/{key}: {error}") from error


def holiday_to(holiday: Holiday) -> bytes:
    """Date and name."""
    return packed(day=holiday.day.isoformat(), name=holiday.name)


def holiday_from(body: bytes, key: str) -> Holiday:
    """What `holiday_to` made."""
    row = unpacked(body, f"days_off/{key}", {"day", "name"})
    return Holiday(key, date.fromisoformat(row["day"]), row["name"])


def packed(**row: object) -> bytes:
    """A row as JSON, ready to be sealed."""
    return json.dumps(row, sort_keys=True).encode()


def unpacked(body: bytes, place: str, keys: set[str]) -> dict[str, Any]:
    """What `packed` made. place: of the row, for whoever must mend it. Raises StoreError when there are other keys."""
    row: dict[str, Any] = json.loads(body)
    if set(row) != keys:
        raise StoreError(f"gallery.db: {place} was written by a later version of faceedge; update this one")
    return row


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(unix_s: int | None) -> datetime | None:
    return None if unix_s is None else datetime.fromtimestamp(unix_s, timezone.utc)
