"""When the quality of a camera's faces counts as fallen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from faceedge.health.trend import BEFORE, ENOUGH, OF_ONE, RECENT, Trend


class Faces:
    """People who come one after the other, so many shots of each."""

    def __init__(self) -> None:
        self.trend = Trend()
        self._tracks: Iterator[int] = count()

    def pass_by(self, people: int, quality: float, shots: int = OF_ONE) -> list[bool]:
        """What `is_low` became, each time that it changed."""
        changed = []
        for track in (next(self._tracks) for _ in range(people)):
            changed += [self.trend.is_low for _ in range(shots) if self.trend.add(quality, track)]
        return changed


def test_a_lens_that_gets_dirty_is_told_once_and_its_cleaning_once() -> None:
    faces = Faces()
    assert faces.pass_by(60, 0.8) == []
    assert faces.pass_by(200, 0.23) == [True]
    assert (faces.trend.quality, faces.trend.usual) == (0.23, 0.8), "what is usual stays as it was"
    assert faces.pass_by(30, 0.8) == [False]


def test_a_few_faces_are_no_trend() -> None:
    faces = Faces()
    faces.pass_by(1, 0.8, ENOUGH - 1)
    assert faces.trend.quality is None
    faces.pass_by(4, 0.8)
    assert (faces.trend.quality, faces.trend.usual) == (0.8, None)


def test_one_person_who_waits_with_a_turned_head_is_no_trend() -> None:
    faces = Faces()
    faces.pass_by(60, 0.8)
    assert faces.pass_by(1, 0.1, shots=500) == []
    assert faces.trend.quality == 0.8


def test_without_enough_that_is_usual_nothing_is_told() -> None:
    faces = Faces()
    faces.pass_by(14, 0.8)
    assert faces.pass_by(14, 0.2) == []


def test_a_quality_between_the_two_limits_neither_falls_nor_rises() -> None:
    faces = Faces()
    faces.pass_by(60, 0.8)
    assert faces.pass_by(20, 0.65) == [], "a fifth less has not fallen"
    low = Faces()
    low.pass_by(60, 0.8)
    low.pass_by(20, 0.5)
    assert low.pass_by(20, 0.65) == [], "nor is it back"


@given(st.lists(st.floats(0, 1), max_size=300))
def test_memory_is_bounded_and_medians_are_those_of_what_came(grades: list[float]) -> None:
    trend = Trend()
    for track, grade in enumerate(grades * 3):
        trend.add(grade, track)
    assert len(trend._recent) <= RECENT
    assert len(trend._before) <= BEFORE
    assert trend.quality is None or min(grades) <= trend.quality <= max(grades)
