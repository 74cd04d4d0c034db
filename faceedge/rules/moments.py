"""Moments as people write them, `2026-06-10` or `2026-06-10T18:00`, in the time zone of the site.

Where the clock leaves a time out or shows it twice, a validity gets the shorter reading.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

from faceedge.errors import BadInput
from faceedge.rules.schedule import time_zone

YEARS = range(1971, 9990)


def begins(text: str, zone: str) -> datetime:
    """The first moment of a validity: a date begins at midnight. Raises BadInput."""
    return max(_readings(text, zone, timedelta(0)))


def ends(text: str, zone: str) -> datetime:
    """The moment at which a validity is over: a date lasts to its end. Raises BadInput."""
    return min(_readings(text, zone, timedelta(days=1)))


def moment(text: str, zone: str) -> datetime:
    """Date and time, UTC. Raises BadInput for a date alone."""
    if _is_date(text):
        raise BadInput(f"{text!r} is a whole day; name a time too, such as {text}T08:00")
    return _readings(text, zone, timedelta(0))[0]


def day(text: str) -> date:
    """A date alone. Raises BadInput."""
    if not _is_date(text):
        raise BadInput(f"{text!r} is no date; write it as 2026-12-25")
    return date.fromisoformat(text)


def _is_date(text: str) -> bool:
    try:
        return len(text) == 10 and date.fromisoformat(text).year in YEARS
    except ValueError:
        return False


def _readings(text: str, zone: str, whole_day: timedelta) -> tuple[datetime, datetime]:
    """UTC, by the first and by the second showing of that time."""
    if _is_date(text):
        written = datetime.combine(date.fromisoformat(text) + whole_day, time())
    else:
        try:
            written = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
        except ValueError as error:
            raise BadInput(f"{text!r} is no moment; write it as 2026-06-10 or 2026-06-10T18:00") from error
    if written.year not in YEARS:
        raise BadInput(f"{text!r} is too far away; use a year from {YEARS.start} to {YEARS.stop - 1}")
    if written.tzinfo is None:
        written = written.replace(tzinfo=time_zone(zone))
    first, second = (written.replace(fold=fold).astimezone(timezone.utc) for fold in (0, 1))
    return first, second
