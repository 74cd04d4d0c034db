"""A leak is seen in noise, and what only comes and goes is none."""

from __future__ import annotations

import random

import pytest

from tests.soak.verdict import MEGA, has_more, slope, still_growing, top_lines

SECONDS = [5.0 * number for number in range(300)]


def noisy(mebi_an_hour: float, seed: int = 8) -> list[float]:
    """A process of 160 MB whose size wanders by a MB or two, as one that decodes pictures does."""
    chance = random.Random(seed)
    return [(160 + chance.gauss(0, 1) + 4 * (chance.random() < 0.1) + mebi_an_hour * at / 3600) * MEGA
            for at in SECONDS]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_process_that_does_not_grow_is_well_below_the_bound(seed: int) -> None:
    found = slope(SECONDS, noisy(0.0, seed))
    assert -4 < found.low < found.middle < found.high < 4


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_that_is_a_little_more_than_the_bound_is_above_it(seed: int) -> None:
    assert slope(SECONDS, noisy(13.0, seed)).high > 10


def test_a_step_in_the_middle_is_growth_too() -> None:
    sizes = [size + (8 * MEGA if at > 750 else 0) for at, size in zip(SECONDS, noisy(0.0), strict=True)]
    assert slope(SECONDS, sizes).high > 10


def test_eight_hours_are_put_together_and_give_the_same_slope() -> None:
    seconds = [5.0 * number for number in range(5760)]
    found = slope(seconds, [at * MEGA / 3600 for at in seconds])
    assert (round(found.low, 3), round(found.high, 3)) == (1.0, 1.0)


def test_one_descriptor_that_stays_is_growth_and_one_that_comes_and_goes_is_none() -> None:
    assert has_more([40] * 50 + [41] * 30)
    assert not has_more([40, 41] * 40)
    assert not has_more([41] * 20 + [40, 40, 40, 41] * 15)
    assert not has_more([40] * 79 + [43])


def traces(**each: float) -> list[tuple[float, dict[str, float]]]:
    """Lines that grow by so many MB an hour, one that has filled up, and one that swings."""
    told = []
    for number in range(60):
        at = 5.0 * number
        lines = {name: 1000 + growth * MEGA * at / 3600 for name, growth in each.items()}
        lines |= {"fills": min(at, 120.0) * 10_000, "swings": 388_800.0 * (number % 3)}
        told.append((at, lines))
    return told


def test_the_line_that_leaks_is_found_among_those_that_fill_up_or_swing() -> None:
    told = traces(leaks=40.0, still=0.0)
    lines = top_lines(told)
    assert {line.name for line in lines[:2]} == {"fills", "leaks"}
    assert [line.name for line in still_growing(lines, told, most=1.0)] == ["leaks"]


def test_nothing_is_found_where_nothing_leaks() -> None:
    told = traces(still=0.0)
    assert still_growing(top_lines(told), told, most=1.0) == []
