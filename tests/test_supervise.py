"""The main thread at the end of a film."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from faceedge.errors import DeviceLost
from faceedge.pipeline import Pipeline
from faceedge.supervise import STUCK_EXIT, Supervisor


class Finished:
    """A pipeline whose film has ended."""

    is_finished = True
    failures: tuple[Exception, ...] = ()
    stuck: tuple[str, ...] = ()


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
