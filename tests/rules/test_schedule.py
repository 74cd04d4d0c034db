"""Weekly hours against a reference that walks the calendar minute by minute, in zones whose clocks jump."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceedge.errors import BadInput
from faceedge.rules.schedule import DAY_MIN, DAYS, HOLIDAY, Schedule, Window

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo")
# Days around which clocks were changed, among them by half an hour and at midnight, and one ordinary week.
ANCHORS = tuple(
    datetime(*day, tzinfo=timezone.utc)
    for day in ((2026, 3, 29), (2026, 10, 25), (2026, 3, 8), (2026, 11, 1), (2026, 4, 4), (2017, 10, 15), (2026, 6, 10))
)
BERLIN = ZoneInfo("Europe/Berlin")

windows = st.builds(
    lambda days, times: Window(frozenset(days), times[0], times[1]),
    st.sets(st.integers(0, HOLIDAY), min_size=1),
    st.tuples(st.integers(0, DAY_MIN - 1), st.integers(1, DAY_MIN)).filter(lambda times: times[0] != times[1]),
)


def painted(window: Window, first: date, holidays: frozenset[date]) -> set[tuple[date, int]]:
    """Every minute of the calendar that the window covers, walked from each start to its end."""
    minutes = set()
    for day in (first + timedelta(days=n) for n in range(6)):
        if (HOLIDAY if day in holidays else day.weekday()) not in window.days:
            continue
        at_day, minute = day, window.starts_min
        while True:
            minutes.add((at_day, minute))
            minute += 1
            if minute == window.ends_min:
                break
            if minute == DAY_MIN:
                at_day, minute = at_day + timedelta(days=1), 0
    return minutes


@settings(max_examples=60, deadline=None)
@given(
    st.lists(windows, min_size=1, max_size=3),
    st.sampled_from(ZONES),
    st.sampled_from(ANCHORS),
    st.sets(st.integers(-1, 2)),
)
def test_a_schedule_is_open_in_exactly_the_painted_minutes(
    held: list[Window], zone: str, anchor: datetime, days_off: set[int]
) -> None:
    holidays = frozenset(anchor.date() + timedelta(days=n) for n in days_off)
    schedule = Schedule(tuple(held), zone)
    open_minutes = set().union(*(painted(window, anchor.date() - timedelta(days=3), holidays) for window in held))
    start = anchor - timedelta(hours=20)
    for minute in range(0, 48 * 60, 7):
        now = start + timedelta(minutes=minute, seconds=minute % 60)
        wall = now.astimezone(ZoneInfo(zone))
        assert schedule.is_open(now, holidays) == ((wall.date(), wall.hour * 60 + wall.minute) in open_minutes)


@given(windows)
def test_hours_are_read_as_they_are_written(window: Window) -> None:
    assert Window.parse(str(window)) == window


def at(text: str, now: datetime, holidays: frozenset[date] = frozenset()) -> bool:
    return Schedule((Window.parse(text),), "Europe/Berlin").is_open(now, holidays)


def berlin(*when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=BERLIN, fold=fold)


def test_the_start_is_inside_and_the_end_is_not() -> None:
    assert not at("mon-fri 08:00-18:00", berlin(2026, 6, 10, 7, 59, 59))
    assert at("mon-fri 08:00-18:00", berlin(2026, 6, 10, 8))
    assert at("mon-fri 08:00-18:00", berlin(2026, 6, 10, 17, 59, 59))
    assert not at("mon-fri 08:00-18:00", berlin(2026, 6, 10, 18))


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday, saturday, sunday = (2026, 6, 12), (2026, 6, 13), (2026, 6, 14)
    assert at("fri 22:00-06:00", berlin(*friday, 22))
    assert at("fri 22:00-06:00", berlin(*saturday, 5, 59))
    assert not at("fri 22:00-06:00", berlin(*saturday, 22))
    assert not at("fri 22:00-06:00", berlin(*friday, 5))
    assert not at("fri 22:00-06:00", berlin(*sunday, 5))


def test_a_holiday_has_its_own_hours_and_not_those_of_its_weekday() -> None:
    christmas = frozenset({date(2026, 12, 25)})  # a Friday
    assert not at("mon-fri 08:00-18:00", berlin(2026, 12, 25, 12), christmas)
    assert at("holiday 08:00-18:00", berlin(2026, 12, 25, 12), christmas)
    assert not at("holiday 08:00-18:00", berlin(2026, 12, 24, 12), christmas)
    assert at("08:00-18:00", berlin(2026, 12, 25, 12), christmas), "without days it is every day"
    assert at("thu 22:00-06:00", berlin(2026, 12, 25, 3), christmas), "the night of Thursday ends on the holiday"
    assert not at("fri 22:00-06:00", berlin(2026, 12, 26, 3), christmas), "the night of the holiday is no Friday night"


def test_hours_left_out_by_the_clock_open_nothing_and_hours_shown_twice_open_twice() -> None:
    utc = timezone.utc
    spring = [datetime(2026, 3, 29, 0, minute, tzinfo=utc) for minute in range(60)]
    spring += [datetime(2026, 3, 29, 1, minute, tzinfo=utc) for minute in range(60)]
    assert not any(at("02:15-02:45", moment) for moment in spring)
    assert at("02:15-03:15", datetime(2026, 3, 29, 1, 0, tzinfo=utc)), "the clock jumps to 03:00, which is inside"
    assert at("02:15-02:45", berlin(2026, 10, 25, 2, 30, fold=0))
    assert at("02:15-02:45", berlin(2026, 10, 25, 2, 30, fold=1))


def test_midnight_at_the_end_is_the_end_of_the_day() -> None:
    assert str(Window.parse("mon 22:00-00:00")) == "mon 22:00-24:00"
    assert str(Window.parse("00:00-00:00")) == "00:00-24:00"


@pytest.mark.parametrize(
    "text",
    ["", "mon", "8:00-9:00", "08:00", "mon 24:00-25:00", "08:60-09:00", "fri-mon 08:00-09:00", "day 08:00-09:00",
     "08:00-08:00", "mon-holiday 08:00-09:00", "mon, 08:00-09:00", "08:00-24:01"],
)  # fmt: skip
def test_what_are_no_hours_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        Window.parse(text)
    assert "mon-fri 08:00-18:00" in str(refusal.value)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe"])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(BadInput, match="Europe/Berlin"):
        Schedule((Window.parse("08:00-18:00"),), zone)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no moment"):
        Schedule((Window.parse("08:00-18:00"),), "UTC").is_open(datetime(2026, 6, 10, 12))


def test_the_next_opening_is_found_over_a_weekend_and_a_clock_change() -> None:
    office = Schedule((Window.parse("mon-fri 08:00-18:00"),), "Europe/Berlin")
    assert office.opens_next(berlin(2026, 3, 27, 19, 30)) == berlin(2026, 3, 30, 8)
    assert Schedule((Window.parse("holiday 08:00-18:00"),), "UTC").opens_next(berlin(2026, 3, 27, 19)) is None


def test_the_names_of_days_are_those_that_people_write() -> None:
    assert DAYS.index("mon") == date(2026, 6, 8).weekday()
    assert Window.parse("MON-WED,fri 08:00-09:00").days == {0, 1, 2, 4}
