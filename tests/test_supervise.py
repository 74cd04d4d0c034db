"""The main thread at the end of a film."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from faceedge.errors import DeviceLost
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import Vital, ailments, excuse
from faceedge.pipeline import Pipeline
from faceedge.supervise import STUCK_EXIT, Supervisor
from tests.fakes.clock import FakeClock


class Finished:
    """A pipeline whose film has ended."""

    is_finished = True
    failures: tuple[Exception, ...] = ()


def test_a_device_that_was_lost_in_the_last_second_of_a_film_is_still_told() -> None:
    def check() -> None:
        raise DeviceLost("the CUDA device is lost")

    pipeline: Any = Finished()
    supervisor = Supervisor(cast(Pipeline, pipeline), (), (check,), lambda: False, lambda: False, 0.0)
    with pytest.raises(DeviceLost):
        supervisor.run(once=True)


def test_what_only_a_new_process_mends_ends_the_run_at_the_next_tick_and_no_chore_is_done() -> None:
    pipeline: Any = Finished()
    done: list[str] = []
    times = iter([[], [], ["detect makes no progress"]])
    supervisor = Supervisor(
        cast(Pipeline, pipeline), (), (lambda: done.append("chore"),), lambda: False, lambda: False, 0.0,
        lambda: next(times), done.extend,
    )  # fmt: skip
    started = time.monotonic()
    assert supervisor.run(once=False) == STUCK_EXIT
    assert time.monotonic() - started < 1
    assert done == ["chore", "detect makes no progress"]


def test_a_film_whose_stage_has_died_is_no_success() -> None:
    pipeline: Any = Finished()
    supervisor = Supervisor(
        cast(Pipeline, pipeline), (), (), lambda: False, lambda: False, 0.0, lambda: ["detect has died"]
    )
    assert supervisor.run(once=True) == STUCK_EXIT


def code_after(naps: list[float]) -> tuple[int, float]:
    """Exit code of a run whose sleeps last so long, and the seconds of it; its one stage does nothing meanwhile."""
    clock = FakeClock()
    heart = Heart("detect", 3.0, clock)
    began, pipeline = clock(), cast(Any, Finished())
    vitals = [Vital(heart, lambda: True)]
    supervisor = Supervisor(
        cast(Pipeline, pipeline), (), (), lambda: not naps, lambda: False, 0.0, lambda: ailments(vitals),
        on_pause=lambda seconds: excuse(vitals, seconds), clock=clock, sleep=lambda _: clock.advance(naps.pop(0)),
    )  # fmt: skip
    return supervisor.run(once=False), clock() - began


def test_a_process_that_was_stopped_for_a_while_does_not_take_its_stages_for_stuck() -> None:
    assert code_after([0.05, 3.8, 0.05, 60.0, 0.05]) == (0, pytest.approx(63.95))


def test_a_stage_that_hangs_is_seen_as_soon_after_a_pause_as_without() -> None:
    assert code_after([10.0, *[0.05] * 100]) == (STUCK_EXIT, pytest.approx(13.0, abs=0.2))
    assert code_after([0.4] * 100) == (STUCK_EXIT, pytest.approx(3.2)), "a busy machine excuses nobody"
