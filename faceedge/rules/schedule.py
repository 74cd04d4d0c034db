"""Weekly hours: `mon-fri 08:00-18:00` in a time zone, and whether they are open at a moment.

What the clock on the wall of that zone shows decides, and nothing else. So in the night when clocks go forward the
minutes that are left out never open anything, and in the night when they go back the minutes shown twice count twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from faceedge.errors import BadInput

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
HOLIDAY = 7
"""The eighth day of a week: on a holiday its hours count, and those of its weekday do not."""
DAY_MIN = 24 * 60

_TIMES = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)")
_FORM = "write days and times such as 'mon-fri 08:00-18:00', 'sat,holiday 22:00-06:00' or '00:00-24:00'"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days. days: 0 (Monday) to 6, or HOLIDAY. starts_min, ends_min: minutes after midnight.

    The start belongs to it, the end does not. An end not after its start is on the next day; the window still belongs
    to the day on which it starts.
    """

    days: frozenset[int]
    starts_min: int
    ends_min: int

    def __post_init__(self) -> None:
        held = self.days and self.days <= set(range(len(DAYS)))
        if not held or not 0 <= self.starts_min < DAY_MIN or not 0 < self.ends_min <= DAY_MIN:
            raise BadInput(f"no such hours; {_FORM}")
        if self.starts_min == self.ends_min:
            raise BadInput(f"hours that end when they start; {_FORM}")

    @classmethod
    def parse(cls, text: str) -> Window:
        """From `[DAYS ]HH:MM-HH:MM`; without days it is every day, holidays too. Raises BadInput."""
        days, _, times = text.strip().lower().rpartition(" ")
        found = _TIMES.fullmatch(times)
        if found is None:
            raise BadInput(f"{text!r} are no hours; {_FORM}")
        hours, minutes, end_hours, end_minutes = map(int, found.groups())
        if hours > 23 or end_hours * 60 + end_minutes > DAY_MIN:
            raise BadInput(f"{text!r} are no hours; {_FORM}")
        # Midnight at the end is the end of the day.
        return cls(_days(days, text), hours * 60 + minutes, end_hours * 60 + end_minutes or DAY_MIN)

    def __str__(self) -> str:
        times = f"{_clock(self.starts_min)}-{_clock(self.ends_min)}"
        return times if len(self.days) == len(DAYS) else f"{_named(self.days)} {times}"

    def contains(self, wall: datetime, holidays: Collection[date]) -> bool:
        """Whether a clock on the wall that shows `wall` is inside."""
        today, minute = wall.date(), wall.hour * 60 + wall.minute
        if self.starts_min < self.ends_min:
            return self.starts_min <= minute < self.ends_min and _kind(today, holidays) in self.days
        if minute >= self.starts_min:
            return _kind(today, holidays) in self.days
        return minute < self.ends_min and _kind(today - timedelta(days=1), holidays) in self.days


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows of a week in one time zone (IANA name). Raises BadInput for a zone that nobody knows."""

    windows: tuple[Window, ...]
    zone: str

    def __post_init__(self) -> None:
        if not self.windows:
            raise BadInput(f"a schedule without hours; {_FORM}")
        time_zone(self.zone)

    def __str__(self) -> str:
        return f"{' and '.join(map(str, self.windows))} ({self.zone})"

    def wall(self, now: datetime) -> datetime:
        """What a clock in the schedule's zone shows. now: aware. Raises ValueError otherwise."""
        if now.tzinfo is None:
            raise ValueError("a moment without a time zone is no moment")
        return now.astimezone(time_zone(self.zone))

    def is_open(self, now: datetime, holidays: Collection[date] = ()) -> bool:
        """Whether `now` (aware) is inside one of the windows."""
        wall = self.wall(now)
        return any(window.contains(wall, holidays) for window in self.windows)

    def opens_next(self, now: datetime, holidays: Collection[date] = (), within: int = 14) -> datetime | None:
        """The next minute at which it is open, as its wall shows it; None when there is none `within` so many days."""
        minute = now.replace(second=0, microsecond=0)
        for _ in range(within * DAY_MIN):
            minute += timedelta(minutes=1)
            if self.is_open(minute, holidays):
                return self.wall(minute)
        return None


def time_zone(name: str) -> ZoneInfo:
    """The zone of that name. Raises BadInput."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # KeyError: not found
        raise BadInput(f"{name!r} is no time zone; use a name such as Europe/Berlin or UTC") from error


def _kind(day: date, holidays: Collection[date]) -> int:
    return HOLIDAY if day in holidays else day.weekday()


def _days(text: str, whole: str) -> frozenset[int]:
    if not text:
        return frozenset(range(len(DAYS)))
    days: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise BadInput(f"{whole!r} names no days; {_FORM}")
        low, high = DAYS.index(first), DAYS.index(last or first)
        if low > high or (last and high == HOLIDAY):
            raise BadInput(f"{part!r} is no run of days from monday to sunday; {_FORM}")
        days.update(range(low, high + 1))
    return frozenset(days)


def _named(days: frozenset[int]) -> str:
    """`mon-wed,fri,holiday`."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1 and day != HOLIDAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
