"""What is given up when memory or cooling runs short, in which order, and that all of it comes back."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.effort import Effort
from faceedge.health.governor import (
    CLIMB_MOST_S,
    CLIMB_S,
    HALVE_S,
    LADDER,
    SHED_S,
    STRAIN_S,
    Governor,
    Step,
)

TICK_S = 0.25
MOST = 16
HALVINGS = 3
NAMES = [rung.name for rung in LADDER]
TOO_HOT = "cpu-throttle-alert"
PRESSURES = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 1),
    st.sampled_from([0.59, 0.61, 0.79, 0.81, 0.91, 0.93]),
)
READINGS = st.lists(st.tuples(PRESSURES, st.booleans(), st.integers(1, 60)), max_size=25)
"""Pressure, too hot, for how many ticks."""


def feed(governor: Governor, pressure: float | None, seconds: float, at: float = 0.0, hot: str = "") -> list[Step]:
    ticks = range(round(seconds / TICK_S))
    steps = (governor.read(pressure, "memory", hot, at + TICK_S * tick) for tick in ticks)
    return [step for step in steps if step is not None]


def story(readings: Iterable[tuple[float | None, bool, int]]) -> Iterable[tuple[float, float | None, str]]:
    """Time, pressure and strain of every tick."""
    now = 0.0
    for pressure, is_hot, ticks in readings:
        for _ in range(ticks):
            yield now, pressure, TOO_HOT if is_hot else ""
            now += TICK_S


def lowered(pressure: float = 1.0) -> Governor:
    """One that has given up all it can."""
    governor = Governor(MOST)
    feed(governor, pressure, 60)
    return governor


def test_nothing_is_held_back_while_nothing_is_short() -> None:
    governor = Governor(MOST)
    assert feed(governor, 0.5, 600) == []
    assert governor.effort == Effort(batch=MOST)


def test_above_080_the_batch_halves_once_a_second_down_to_two() -> None:
    governor = Governor(MOST)
    sizes = [governor.read(0.85, "cgroup 85 %", "", now) for now in (0.0, 0.5, HALVE_S, 1.5, 2.0, 60.0)]
    assert [step.effort.batch if step else None for step in sizes] == [8, None, 4, None, 2, None]
    assert sizes[0] == Step("batch", True, "cgroup 85 %", Effort(batch=8))
    assert governor.rungs == []


@pytest.mark.parametrize("pressure", [0.60, 0.70, 0.80])
def test_between_060_and_080_a_halved_batch_stays_as_it_is(pressure: float) -> None:
    governor = Governor(MOST)
    governor.read(0.85, "memory", "", 0.0)
    assert feed(governor, pressure, 600, at=1.0) == []
    assert governor.effort.batch == 8


def test_below_060_the_batch_doubles_after_ten_quiet_seconds_and_not_faster() -> None:
    governor = Governor(MOST)
    feed(governor, 0.85, 10)
    begins = 10.0
    times = [at for tick in range(400) if governor.read(0.5, "memory", "", at := begins + tick * TICK_S)]
    assert times == [begins + CLIMB_S, begins + 2 * CLIMB_S, begins + 3 * CLIMB_S]
    assert governor.effort.batch == MOST


def test_a_single_noisy_reading_starts_the_quiet_time_anew() -> None:
    governor = Governor(MOST)
    governor.read(0.85, "memory", "", 0.0)
    assert feed(governor, 0.5, CLIMB_S - TICK_S, at=1.0) == []
    governor.read(0.7, "memory", "", 11.0)
    assert feed(governor, 0.5, CLIMB_S - TICK_S, at=11.25) == []


@pytest.mark.parametrize(("most", "sizes"), [(12, [6, 3, 2, 3, 6, 12]), (3, [2, 3]), (2, []), (1, [])])
def test_sizes_that_are_no_power_of_two_find_their_way_back(most: int, sizes: list[int]) -> None:
    governor = Governor(most)
    steps = feed(governor, 0.85, 10) + feed(governor, 0.5, 200, at=10)
    assert [step.effort.batch for step in steps] == sizes
    assert governor.effort == Effort(batch=most)


def test_above_092_one_rung_at_a_time_is_shed_and_climbed_in_reverse() -> None:
    governor = Governor(MOST)
    down = feed(governor, 0.95, 60)
    assert [step.name for step in down if step.name != "batch"] == NAMES
    assert governor.effort == Effort(batch=1, extras=False, detector_scale=0.5, frame_gap_s=0.2)
    up = feed(governor, 0.5, 600, at=60)
    assert [step.name for step in up] == [*reversed(NAMES), *["batch"] * HALVINGS]
    assert governor.effort == Effort(batch=MOST)


def test_rungs_are_shed_two_seconds_apart() -> None:
    governor = Governor(2)
    times = [at for tick in range(80) if governor.read(0.95, "memory", "", at := tick * TICK_S)]
    assert times == [SHED_S * number for number in range(len(LADDER))]


def test_below_080_rungs_come_back_though_the_batch_does_not() -> None:
    governor = lowered()
    feed(governor, 0.7, 600, at=60)
    assert governor.effort == Effort(batch=2)


def test_heat_sheds_slowly_and_leaves_batches_alone() -> None:
    governor = Governor(MOST)
    steps = feed(governor, 0.3, STRAIN_S * 2, hot=TOO_HOT)
    assert [(step.name, step.why) for step in steps] == [("extras", TOO_HOT), ("detector_75", TOO_HOT)]
    assert governor.effort.batch == MOST
    feed(governor, 0.3, 100, at=100)
    assert governor.effort == Effort(batch=MOST)


def test_heat_that_lasts_does_not_hold_the_batch_down() -> None:
    governor = Governor(MOST)
    feed(governor, 0.85, 10)
    feed(governor, 0.3, 100, at=10, hot=TOO_HOT)
    assert governor.rungs == NAMES
    feed(governor, 0.3, 100, at=110)
    assert governor.effort == Effort(batch=MOST)


def test_an_engine_without_memory_halves_at_once_and_then_gives_up_rungs() -> None:
    governor = Governor(4)
    steps = [governor.out_of_memory(now) for now in (0.0, 0.1, 0.3, 0.6, 2.2, 2.5)]
    assert [step.name if step else None for step in steps] == ["batch", None, "extras", None, None, "detector_75"]


def test_a_moment_without_memory_leaves_small_faces_to_be_seen() -> None:
    """An engine that fails four times a second for two seconds must not have walked down the whole ladder."""
    governor = Governor(16)
    for tick in range(8):
        governor.out_of_memory(0.25 * tick)
    assert governor.effort.detector_scale == 1.0


def test_what_falls_again_at_once_waits_twice_as_long_before_the_next_try() -> None:
    """A machine where the last doubling is one too many must not swing every ten seconds."""
    governor = Governor(MOST)
    now, climbs = 0.0, []
    while now < 1200:
        step = governor.read(0.85 if governor.effort.batch == MOST else 0.5, "memory", "", now)
        if step and not step.less:
            climbs.append(now)
        now += TICK_S
    waits = [round(after - before) for before, after in pairwise(climbs)]
    assert waits[:4] == [20, 40, 80, 80]
    assert max(waits) <= CLIMB_MOST_S + 2 * TICK_S


def test_a_long_good_time_makes_it_patient_no_longer() -> None:
    governor = Governor(MOST)
    for _ in range(3):  # falls, climbs, falls at once
        feed(governor, 0.85, TICK_S)
        feed(governor, 0.5, 41, at=1)
        feed(governor, 0.85, TICK_S, at=42)
    feed(governor, 0.5, 1000, at=50)
    feed(governor, 0.85, TICK_S, at=1100)
    assert [step.effort.batch for step in feed(governor, 0.5, CLIMB_S + TICK_S, at=1101)] == [MOST]


@given(READINGS)
def test_a_minute_of_any_readings_has_few_steps(readings: list[tuple[float | None, bool, int]]) -> None:
    governor = Governor(MOST)
    times = [at for at, pressure, hot in story(readings) if governor.read(pressure, "memory", hot, at)]
    most = HALVINGS + len(LADDER) + 2 * (1 + 60 / CLIMB_S)
    for begin in times:
        assert sum(begin <= at < begin + 60 for at in times) <= most


@given(st.integers(0, 2**32))
def test_noise_without_ten_quiet_seconds_only_ever_leads_down(seed: int) -> None:
    governor = Governor(MOST)
    chance = random.Random(seed)
    noise = [chance.random() for _ in range(240)]
    noise[::20] = [0.81] * len(noise[::20])  # every five seconds, somewhere
    steps = [governor.read(pressure, "memory", "", TICK_S * tick) for tick, pressure in enumerate(noise)]
    assert all(step.less for step in steps if step)


@given(READINGS)
def test_steps_follow_the_ladder_and_change_one_thing(readings: list[tuple[float | None, bool, int]]) -> None:
    governor = Governor(MOST)
    for at, pressure, hot in story(readings):
        before, rungs = governor.effort, governor.rungs
        step = governor.read(pressure, "memory", hot, at)
        assert governor.rungs == NAMES[: len(governor.rungs)]
        assert abs(len(governor.rungs) - len(rungs)) + (step is not None and step.name == "batch") <= 1
        if step is None:
            assert governor.effort == before
        else:
            assert rank(governor.effort) != rank(before)
            assert step.less == (rank(governor.effort) < rank(before))


def rank(effort: Effort) -> tuple[float, ...]:
    """Larger is more, one after another."""
    return (effort.batch > 1, -effort.frame_gap_s, effort.detector_scale, effort.extras, effort.batch)


@given(READINGS, st.lists(st.integers(0, 2400), max_size=5))
def test_everything_comes_back_when_the_pressure_stays_low(
    readings: list[tuple[float | None, bool, int]], failures: list[int]
) -> None:
    governor, now = Governor(MOST), 0.0
    for tick, (at, pressure, hot) in enumerate(story(readings)):
        now = at
        if tick in failures:
            governor.out_of_memory(at)
        governor.read(pressure, "memory", hot, at)
    feed(governor, 0.5, CLIMB_MOST_S * (HALVINGS + len(LADDER) + 1), at=now + TICK_S)
    assert governor.effort == Effort(batch=MOST)


@given(st.lists(st.floats(0, 1), min_size=40, max_size=40), st.floats(0, 0.3))
def test_more_pressure_never_leaves_more_to_do(pressures: list[float], more: float) -> None:
    lighter, heavier = Governor(MOST), Governor(MOST)
    for tick, pressure in enumerate(pressures):  # ten seconds: nothing climbs yet
        lighter.read(pressure, "memory", "", TICK_S * tick)
        heavier.read(min(1.0, pressure + more), "memory", "", TICK_S * tick)
    assert len(heavier.rungs) >= len(lighter.rungs)
    assert heavier.effort.batch <= lighter.effort.batch


@pytest.mark.parametrize("reading", [None, math.nan, math.inf, -math.inf])
def test_a_reading_that_is_no_number_changes_nothing(reading: float | None) -> None:
    governor = Governor(MOST)
    governor.read(0.85, "memory", "", 0.0)
    assert feed(governor, reading, 600, at=1) == []


def test_time_without_readings_is_no_quiet_time() -> None:
    governor = lowered()
    governor.read(0.3, "memory", "", 100.0)
    feed(governor, None, 60, at=101)
    assert governor.read(0.3, "memory", "", 161.0) is None
    assert feed(governor, 0.3, CLIMB_S + TICK_S, at=161 + TICK_S) != []
