"""When the state is published: every ten seconds, and soon after news, but never in a flood."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any, cast

from faceedge.config import Capture, Door
from faceedge.report import APART_S, EVERY_S, Report, StateFeed
from tests.fakes.clock import FakeClock


def feed(clock: FakeClock) -> tuple[StateFeed, list[float]]:
    told: list[float] = []

    def retain(state: bytes) -> None:
        assert json.loads(state) == {"version": "1"}
        told.append(clock())

    return StateFeed(lambda: {"version": "1"}, retain, clock), told


def run(state: StateFeed, clock: FakeClock, seconds: float, *, news_every_tick: bool = False) -> None:
    for _ in range(round(seconds / 0.05)):
        if news_every_tick:
            state.hurry()
        state.tick()
        clock.advance(0.05)


def test_the_state_is_told_at_once_and_then_every_ten_seconds() -> None:
    clock = FakeClock()
    state, told = feed(clock)
    start = clock()
    run(state, clock, 31)
    assert [round(at - start) for at in told] == [0, 10, 20, 30]
    assert EVERY_S == 10


def test_news_are_told_within_the_second() -> None:
    clock = FakeClock()
    state, told = feed(clock)
    run(state, clock, 5)
    state.hurry()
    run(state, clock, 0.1)
    assert len(told) == 2


def test_whoever_presses_refresh_all_day_gets_one_state_a_second() -> None:
    clock = FakeClock()
    state, told = feed(clock)
    run(state, clock, 20, news_every_tick=True)
    assert 19 <= len(told) <= 21
    assert all(later - earlier >= APART_S - 1e-6 for earlier, later in itertools.pairwise(told))


def test_a_start_writes_down_the_numbers_of_every_door_and_the_state_says_which_are_loose() -> None:
    publisher = SimpleNamespace(limits={"match": 0.6}, own_limits={"lab": {"match": 0.5}})
    nothing = cast(Any, SimpleNamespace(notices=(), names=("entry",), builds={}))
    report = Report(
        (Door(name="main"), Door(name="lab", look_alikes="review")), nothing, nothing, cast(Any, publisher), nothing,
        nothing, nothing, nothing, nothing, nothing, None, own_numbers=("door lab lets in more",),
        of_people=lambda: ("flag them",),
    )  # fmt: skip
    assert report.standing("here", Capture())["doors"] == [
        {"name": "main", "liveness": "off"},
        {"name": "lab", "liveness": "off", "look_alikes": "review", "limits": {"match": 0.5}},
    ]
    assert report.notices() == ["door lab lets in more", "flag them"]
