"""Orders to fail, as the daemon under test obeys them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceedge.chaos.orders import Obedient, Order, send
from faceedge.errors import EngineError, FaceedgeError


class PlainEngine:
    inputs = outputs = ()
    max_batch = 4
    device = "cpu"

    def infer(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        return {"out": np.zeros(1)}


def same(items: Sequence[Any]) -> list[Any]:
    return list(items)


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Obedient]:
    with Obedient(tmp_path / "orders") as made:
        yield made


def test_without_orders_everything_works(orders: Obedient) -> None:
    seams = orders.seams()
    assert seams.stage("detect", same)([1, 2]) == [1, 2]
    assert seams.engine("detector", PlainEngine()).infer({})  # type: ignore[arg-type]
    assert abs(seams.wall() - time.time()) < 1


def test_a_stage_raises_as_often_as_ordered(orders: Obedient) -> None:
    stage = orders.seams().stage("detect", same)
    orders.obey(Order("raise", "detect", 2))
    for _ in range(2):
        with pytest.raises(RuntimeError):
            stage([1])
    assert stage([1]) == [1]


def test_another_stage_does_not_mind(orders: Obedient) -> None:
    orders.obey(Order("raise", "detect"))
    assert orders.seams().stage("recognise", same)([1]) == [1]


def test_an_engine_fails_until_the_end_is_ordered(orders: Obedient) -> None:
    engine = orders.seams().engine("detector", PlainEngine())  # type: ignore[arg-type]
    orders.obey(Order("engine", "detector"))
    for _ in range(5):
        with pytest.raises(EngineError):
            engine.infer({})
    orders.obey(Order("end"))
    assert engine.infer({})


def test_the_clock_jumps_and_comes_back(orders: Obedient) -> None:
    wall = orders.seams().wall
    orders.obey(Order("wall", shift_s=1e6))
    assert wall() - time.time() == pytest.approx(1e6, abs=1)
    orders.obey(Order("end"))
    assert wall() - time.time() == pytest.approx(0, abs=1)


def test_orders_travel_between_processes(orders: Obedient, tmp_path: Path) -> None:
    send(tmp_path / "orders", Order("raise", "detect", 1))
    deadline = time.monotonic() + 2
    while not orders.is_due("raise", "detect"):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_who_gives_orders_to_nobody_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaceedgeError, match="takes no orders"):
        send(tmp_path / "nobody", Order("end"))
