"""Works are timed in turns: shares kept, first calls left out, few samples never too few."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faceedge.jobs.turns import LEAST, MOST_A_TURN, Lap, Seconds, Work, slowed, spread, take_turns


class Time:
    """A clock that only work moves."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.told = 0

    def __call__(self) -> float:
        return self.now_s

    def work(self, share: float, *costs_s: float, renew: Callable[[], object] = lambda: None) -> Work:
        """Work whose calls cost these seconds, the last one from then on."""
        left = list(costs_s)

        def call() -> Seconds:
            lap = Lap(self)
            self.now_s += left.pop(0) if len(left) > 1 else left[0]
            lap.note("all")
            return lap.seconds

        return Work(share, call, renew)

    def run(self, seconds: float, *works: Work) -> None:
        take_turns(works, self.now_s + seconds, self, self.tell)

    def tell(self) -> None:
        self.told += 1


def test_time_is_shared_as_asked_however_long_a_call_takes() -> None:
    time = Time()
    quick, slow = time.work(0.75, 0.01), time.work(0.25, 0.4)
    time.run(40, quick, slow)
    assert quick.spent_s == pytest.approx(30, rel=0.1)
    assert slow.spent_s == pytest.approx(10, rel=0.1)


def test_turns_alternate() -> None:
    time = Time()
    order: list[str] = []
    works = [time.work(0.5, 0.1, renew=lambda name=name: order.append(name)) for name in "ab"]  # type: ignore[misc]
    time.run(3, *works)
    assert order[:6] == ["a", "b"] * 3


def test_the_first_call_of_a_turn_is_not_counted() -> None:
    time = Time()
    work = time.work(1.0, 0.5, 0.1)
    time.run(0.55, work)
    assert [one["all"] for one in work.samples] == pytest.approx([0.1] * LEAST)


def test_a_quick_call_is_repeated_within_a_turn() -> None:
    time = Time()
    work = time.work(1.0, 0.001)
    time.run(0.001, work)
    assert len(work.samples) == MOST_A_TURN
    assert time.told == 1


def test_what_is_too_slow_still_gets_its_few_samples_and_no_more() -> None:
    time = Time()
    works = [time.work(0.9, 0.1), time.work(0.1, 50.0)]
    time.run(1, *works)
    assert len(works[1].samples) == LEAST


def test_no_work_is_no_time() -> None:
    time = Time()
    time.run(10)
    assert time.now_s == 100


def test_a_spread_of_one_value_is_that_value() -> None:
    one = spread([3.0])
    assert (one.median, one.q1, one.q3, one.p95, one.samples) == (3, 3, 3, 3, 1)


def test_a_spread_names_median_quartiles_and_the_slowest_twentieth() -> None:
    hundred = spread([float(n) for n in range(101)])
    assert (hundred.median, hundred.q1, hundred.q3, hundred.p95) == (50, 25, 75, 95)


def test_slowing_down_is_told_once_there_is_enough_to_tell() -> None:
    assert slowed([1.0] * 5 + [2.0] * 3) == 1.0
    assert slowed([1.0] * 6 + [1.2] * 3) == pytest.approx(1.2)
