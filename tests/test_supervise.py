"""The main thread at the end of a film."""

from __future__ import annotations

from typing import Any, cast

import pytest

from faceedge.errors import DeviceLost
from faceedge.pipeline import Pipeline
from faceedge.supervise import Supervisor


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
