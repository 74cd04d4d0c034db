"""Rule sets that hypothesis makes up: a few people, groups, doors and hours, in every combination."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from hypothesis import strategies as st

from faceedge.rules.book import ANY_DOOR, Book, Group, Rule, Standing
from faceedge.rules.schedule import HOLIDAY, Schedule, Window

PEOPLE = ("anna", "boris", "chloe")
GROUPS = ("staff", "guests")
DOORS = ("main", "lab")
NOON = datetime(2026, 3, 29, 12, tzinfo=timezone.utc)
"""A Sunday on which Berlin's clocks went forward."""

moments = st.integers(-72 * 60, 72 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes))

windows = st.builds(
    lambda days, times: Window(frozenset(days), times[0] * 60, times[1] * 60),
    st.sets(st.integers(0, HOLIDAY), min_size=1),
    st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda times: times[0] != times[1]),
)
schedules = st.builds(
    lambda held, zone: Schedule(tuple(held), zone),
    st.lists(windows, min_size=1, max_size=2),
    st.sampled_from(("UTC", "Europe/Berlin", "America/New_York")),
)
standings = st.builds(
    lambda begins, ends, blocked, groups: Standing(
        begins, ends if begins is None or ends is None or ends > begins else None, blocked, frozenset(groups)
    ),
    st.none() | moments,
    st.none() | moments,
    st.sampled_from((False, False, True)),
    st.sets(st.sampled_from(GROUPS)),
)
rules = st.builds(
    Rule,
    id=st.uuids(version=4).map(str),
    group=st.none() | st.sampled_from(GROUPS),
    door=st.sampled_from((*DOORS, ANY_DOOR)),
    schedule=st.none() | schedules,
    escort=st.sampled_from((None, None, *GROUPS)),
    within_s=st.integers(1, 120),
)
books = st.builds(
    lambda people, always, held, days_off: Book(
        people,
        {name: Group(name, name, name in always) for name in GROUPS},
        tuple(held),
        frozenset(date(2026, 3, 29) + timedelta(days=n) for n in days_off),
    ),
    st.dictionaries(st.sampled_from(PEOPLE), standings),
    st.sets(st.sampled_from(GROUPS)),
    st.lists(rules, max_size=4),
    st.sets(st.integers(-2, 2)),
)
