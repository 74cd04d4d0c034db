"""Twice as much as the machine can do: what is decided is decided in time, the rest is counted, nobody starves."""

from __future__ import annotations

import time
from collections import Counter
from statistics import quantiles

import pytest

from faceedge.decide import DEADLINE_S
from faceedge.health.machine import resident
from tests.system.overloaded import CAMERAS, RATE, Hall

pytestmark = pytest.mark.system
WARM_S, MEASURED_S = 2.0, 5.0
HALF_S = 2 / (RATE * len(CAMERAS))
"""A picture: half of them can be served."""
MOST_GROWTH = 8 << 20
"""A queue that held the pictures it cannot serve would grow by 220 MB."""


def p99_ms(hall: Hall) -> float:
    return quantiles([event["latency_ms"] for event in hall.decisions()], n=100)[98]


@pytest.mark.parametrize("crowd", [1, 4])
def test_twice_what_can_be_served_is_decided_in_time_and_shared_out_fairly(crowd: int) -> None:
    with Hall(detect_s=HALF_S, recognise_s=0.02, crowd=crowd) as hall:
        time.sleep(WARM_S)
        before = resident().now
        time.sleep(MEASURED_S)
        grown = resident().now - before
    counters = hall.pipeline.counters()

    assert p99_ms(hall) < 1000 * DEADLINE_S
    assert grown < MOST_GROWTH

    taken = counters["frames_passed"]
    assert 0 <= sum(hall.made.values()) - taken - counters["frames_dropped"] <= 2 * len(CAMERAS)  # of the end
    assert 0 <= taken - counters["frames_late"] - sum(hall.detected.values()) <= len(CAMERAS)
    assert counters["frames_dropped"] > 0.3 * sum(hall.made.values())

    assert min(hall.detected.values()) > 0.8 * max(hall.detected.values())
    shares = Counter((event["camera"], event["track"]) for event in hall.decisions())
    assert len(shares) == len(CAMERAS) * crowd
    assert min(shares.values()) > 0.5 * max(shares.values())


def test_a_machine_that_is_too_slow_refuses_says_why_and_comes_back_by_itself() -> None:
    with Hall(detect_s=0.8, recognise_s=0.01, crowd=1) as hall:
        until(lambda: any(event["reason"] == "too_slow" for event in hall.told), 15)
        assert hall.decisions() == []
        (notice,) = hall.pipeline.notices
        assert notice.startswith("this machine takes 8")

        hall.detect_s = 0.005
        until(lambda: len(hall.decisions()) > 0, 3)
        until(lambda: hall.pipeline.notices == [], 3)
        assert {event["outcome"] for event in hall.decisions()} == {"grant"}


def test_after_one_batch_that_took_seconds_decisions_go_on_at_once() -> None:
    with Hall(detect_s=0.005, recognise_s=0.005, crowd=1) as hall:
        time.sleep(1)
        hall.stall_s = 1.5
        until(lambda: hall.stall_s == 0, 1)
        time.sleep(1.5)
        count, start = len(hall.decisions()), time.monotonic()
        until(lambda: len(hall.decisions()) > count + len(CAMERAS), 2)
        assert time.monotonic() - start < 1.0


def until(is_so: object, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < limit, "not in time"
        time.sleep(0.02)
