"""How a stage cuts its work for an engine, and what becomes of it without memory."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from faceedge.effort import Effort
from faceedge.errors import NoMemory
from faceedge.portions import Portions


class Worker:
    """Squares numbers, up to `room` at once, and notes what it was asked."""

    def __init__(self, max_batch: int, room: int = 99) -> None:
        self.asked: list[list[int]] = []
        self.given_back: list[str] = []
        self.engine: Any = SimpleNamespace(
            max_batch=max_batch, device="cpu", trim=lambda: self.given_back.append("trim"),
            tidy=lambda: self.given_back.append("tidy"),
        )  # fmt: skip
        self._room = room

    def work(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        if len(numbers) > self._room:
            raise NoMemory("none left")
        return [number * number for number in numbers]


@pytest.mark.parametrize(("effort", "engine", "sizes"), [(16, 2, [2, 2, 1]), (3, 8, [3, 2]), (16, 8, [5])])
def test_a_batch_is_bounded_by_the_effort_and_by_the_engine(effort: int, engine: int, sizes: list[int]) -> None:
    worker = Worker(engine)
    assert Portions(lambda: Effort(batch=effort)).run(worker.engine, range(5), worker.work) == [0, 1, 4, 9, 16]
    assert [len(part) for part in worker.asked] == sizes
    assert worker.given_back == []


def test_a_batch_without_memory_is_run_one_by_one_and_those_after_it_are_smaller() -> None:
    worker, now = Worker(8, room=2), [Effort(batch=4)]
    portions = Portions(lambda: now[0], lambda: now.__setitem__(0, Effort(batch=2)))
    assert portions.run(worker.engine, range(7), worker.work) == [n * n for n in range(7)]
    assert worker.asked == [[0, 1, 2, 3], [0], [1], [2], [3], [4, 5], [6]]
    assert worker.given_back == ["trim", "tidy"]


def test_without_memory_for_one_the_stage_is_told() -> None:
    told: list[int] = []
    worker = Worker(8, room=0)
    with pytest.raises(NoMemory):
        Portions(short=lambda: told.append(1)).run(worker.engine, range(3), worker.work)
    assert worker.asked == [[0, 1, 2], [0]]
    assert told == [1]


def test_on_a_cpu_there_are_fewer_at_once() -> None:
    worker = Worker(8)
    Portions(on_cpu=1).run(worker.engine, range(2), worker.work)
    worker.engine.device = "cuda:0"
    Portions(on_cpu=1).run(worker.engine, range(2), worker.work)
    assert worker.asked == [[0], [1], [0, 1]]
