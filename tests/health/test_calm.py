"""What is told of a condition that comes and goes."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from faceedge.health.calm import LASTS_AT_MOST_S, Calm


def told(*story: tuple[float, str]) -> list[tuple[float, str]]:
    """The condition from each of these times on, looked at four times a second; the last one is the end."""
    calm, news = Calm("well"), []
    for (start_s, condition), (end_s, _) in pairwise(story):
        for quarter in range(int(4 * start_s), int(4 * end_s)):
            if calm.is_news(condition, quarter / 4):
                news.append((quarter / 4, condition))
    return news


def test_what_is_wrong_for_the_first_time_is_told_at_once_and_its_end_when_it_lasts() -> None:
    assert told((0, "well"), (20, "frozen"), (500, "well"), (900, "")) == [(20.0, "frozen"), (510.0, "well")]


def test_what_is_short_is_told_once_however_often_it_comes() -> None:
    story = [(30.0 * turn + 22 * half, ("well", "frozen")[half]) for turn in range(500) for half in (0, 1)]
    assert told(*story) == [(22.0, "frozen"), (40.0, "well")], "all day long"


def test_what_comes_again_must_last_longer_each_time() -> None:
    story = [(60.0 * turn + 30 * half, ("well", "dark")[half]) for turn in range(59) for half in (0, 1)]
    assert [at_s for at_s, condition in told(*story) if condition == "dark"] == [30.0, 100.0, 170.0]


def test_what_lasts_ten_minutes_is_told_whatever_there_was() -> None:
    flicker = [(60.0 * turn + 30 * half, ("well", "dark")[half]) for turn in range(300) for half in (0, 1)]
    assert told(*flicker, (18_000.0, "well"), (18_100.0, "dark"), (18_800.0, ""))[-1][1] == "dark"


def test_after_an_hour_in_which_all_was_well_it_is_told_at_once_again() -> None:
    story = ((0.0, "dark"), (5000.0, "well"), (8590.0, "dark"), (8600.0, "well"), (12300.0, "dark"), (12400.0, ""))
    assert told(*story) == [(0.0, "dark"), (5010.0, "well"), (12300.0, "dark")]


def test_one_thing_after_another_is_told_as_such() -> None:
    assert [condition for _, condition in told((0, "frozen"), (100, "dark"), (200, ""))] == ["frozen", "dark"]


@given(st.lists(st.tuples(st.floats(0.5, 900), st.sampled_from(["well", "frozen", "dark"])), min_size=1, max_size=60))
def test_in_an_hour_few_things_are_told_and_the_last_one_is_true_if_it_lasts(turns: list[tuple[float, str]]) -> None:
    calm, at_s, news = Calm("well"), 0.0, []
    for lasts_s, condition in [*turns, (LASTS_AT_MOST_S + 1, "dark")]:
        for step in range(int(lasts_s * 2) + 1):
            if calm.is_news(condition, at_s + step / 2):
                news.append((at_s + step / 2, condition))
        at_s += lasts_s
    assert calm.told == "dark"
    for first_s, _ in news:
        within = [condition for when_s, condition in news if first_s <= when_s < first_s + 3600]
        assert len([one for one in within if one != "well"]) <= 12
