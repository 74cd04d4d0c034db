"""Who is to be seen when follows from the clock alone."""

from __future__ import annotations

import pytest

from faceedge.chaos.reel import Appearance, Reel

REEL = Reel([bytes([number]) for number in range(20)], [(0, 4, True), (10, 14, False)], fps=10.0)


def shown(start: float, end: float) -> list[tuple[float, float, bool]]:
    return [(round(one.start, 3), round(one.end, 3), one.known) for one in REEL.appearances(100.0, start, end)]


def test_a_turn_shows_her_and_then_the_stranger() -> None:
    assert shown(100.0, 102.0) == [(100.0, 100.5, True), (101.0, 101.5, False)]


def test_only_whole_appearances_count() -> None:
    assert shown(100.1, 103.2) == [(101.0, 101.5, False), (102.0, 102.5, True)]


def test_it_goes_on_for_ever() -> None:
    assert shown(300.0, 301.0) == [(300.0, 300.5, True)]


def test_the_portrait_shows_her() -> None:
    assert REEL.portrait == 2


@pytest.mark.parametrize(("at_s", "number"), [(0.0, 0), (0.09, 0), (0.11, 1), (2.05, 20)])
def test_the_clock_chooses_the_picture(at_s: float, number: int) -> None:
    assert REEL.number_at(at_s) == number


def test_appearances_are_plain_values() -> None:
    assert Appearance(1.0, 2.0, known=True) == Appearance(1.0, 2.0, known=True)
