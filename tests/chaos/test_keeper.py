"""The stand-in for systemd: it restarts what ends and what falls silent, with a clock that is passed in."""

from __future__ import annotations

import signal

from faceedge.chaos.keeper import ABORT_WITHIN_S, RESTART_AFTER_S, START_LIMIT_S, WATCHDOG_S, Ending, Keeper


class FakeProcess:
    def __init__(self) -> None:
        self.ended: int | None = None
        self.signals: list[signal.Signals] = []

    def code(self) -> int | None:
        return self.ended

    def signal_group(self, number: signal.Signals) -> None:
        self.signals.append(number)


class Place:
    def __init__(self) -> None:
        self.now = 0.0
        self.processes: list[FakeProcess] = []
        self.endings: list[Ending] = []
        self.keeper = Keeper(self._start, lambda: self.now, self.endings.append)
        self.keeper.begin()
        self.keeper.tick()

    def _start(self) -> FakeProcess:
        self.processes.append(FakeProcess())
        return self.processes[-1]

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.keeper.tick()

    def ready(self) -> None:
        self.keeper.heard("READY=1\nSTATUS=serves")


def test_a_daemon_that_ends_is_started_again_after_a_pause() -> None:
    place = Place()
    place.processes[0].ended = 75
    place.later(0.02)
    assert place.endings == [Ending(0.02, 75, "ended")]
    place.later(RESTART_AFTER_S - 0.1)
    assert len(place.processes) == 1
    place.later(0.1)
    assert len(place.processes) == 2


def test_what_an_ended_daemon_has_started_goes_with_it() -> None:
    place = Place()
    place.processes[0].ended = -9
    place.later(0.02)
    assert place.processes[0].signals == [signal.SIGKILL]


def test_a_daemon_that_tells_it_lives_is_left_alone() -> None:
    place = Place()
    place.ready()
    for _ in range(20):
        place.later(WATCHDOG_S - 1)
        place.keeper.heard("WATCHDOG=1")
    assert place.processes[0].signals == []


def test_a_silent_daemon_is_aborted_and_then_killed() -> None:
    place = Place()
    place.ready()
    place.later(WATCHDOG_S + 0.1)
    assert place.processes[0].signals == [signal.SIGABRT]
    place.later(ABORT_WITHIN_S + 0.1)
    assert place.processes[0].signals == [signal.SIGABRT, signal.SIGKILL]
    place.processes[0].ended = -9
    place.later(0.02)
    assert place.endings[-1].why == "watchdog"


def test_a_status_alone_is_no_life() -> None:
    place = Place()
    place.ready()
    place.later(WATCHDOG_S - 0.1)
    place.keeper.heard("STATUS=busy")
    place.later(0.2)
    assert place.processes[0].signals == [signal.SIGABRT]


def test_a_start_may_take_longer_than_the_watchdog_but_not_for_ever() -> None:
    place = Place()
    place.later(START_LIMIT_S - 1)
    assert place.processes[0].signals == []
    place.later(2)
    assert place.processes[0].signals == [signal.SIGABRT]


def test_a_held_daemon_stays_down_until_it_is_begun() -> None:
    place = Place()
    place.keeper.hold()
    place.processes[0].ended = 0
    place.later(0.02)
    place.later(100)
    assert len(place.processes) == 1
    place.keeper.begin()
    place.later(0.02)
    assert len(place.processes) == 2


def test_a_daemon_that_leaves_in_order_is_not_started_again() -> None:
    place = Place()
    place.processes[0].ended = 0
    place.later(0.02)
    place.later(100)
    assert len(place.processes) == 1
