"""The effort follows the governor, every step is told once, and networks give memory back when they need less."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pytest

from faceedge.door.events import GovernorEvent
from faceedge.door.shown import ShownGovernor
from faceedge.effort import Effort
from faceedge.errors import EngineError, NoMemory
from faceedge.health.governor import LADDER, Step
from faceedge.health.keeper import EVERY_S, Keeper, told
from faceedge.health.metrics import ASKED
from faceedge.health.pressure import Pressure
from faceedge.health.telemetry import Telemetry
from tests.fakes.clock import FakeClock

FULL = Pressure(0.85, "cgroup 85 %")
EMPTY = Pressure(0.30, "memory 30 %")
SHORT = Pressure(0.95, "cgroup 95 %")


class Room:
    """A keeper with readings to set, and what it has told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.pressure: Pressure | None = EMPTY
        self.heat: Telemetry | None = None
        self.readings = self.given_back = 0
        self.steps: list[Step] = []
        self.keeper = Keeper(16, self._read, lambda: self.heat, self.steps.append, self._give_back, self.clock)

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.keeper.tick()
            self.clock.advance(0.05)

    def _read(self) -> Pressure | None:
        self.readings += 1
        return self.pressure

    def _give_back(self) -> None:
        self.given_back += 1


@pytest.fixture
def room() -> Room:
    return Room()


def test_it_reads_four_times_a_second_however_often_it_is_asked(room: Room) -> None:
    room.pass_time(10)
    assert 30 <= room.readings <= 10 / EVERY_S
    assert room.steps == []


def test_a_step_swaps_the_effort_and_is_told_and_counted_once(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.pressure = FULL
    with caplog.at_level(logging.INFO, "faceedge.health.keeper"):
        room.pass_time(0.9)
    assert room.keeper.effort() == Effort(batch=8)
    assert room.steps == [Step("batch", True, "cgroup 85 %", Effort(batch=8))]
    assert room.keeper.counters == {"less_batch": 1}
    assert len(caplog.records) == 1


def test_memory_is_given_back_where_networks_need_less_and_only_there(room: Room) -> None:
    room.pressure = SHORT
    room.pass_time(60)
    assert room.given_back == 3 + 3  # halvings; two sizes of the detector, batches of one
    room.pressure = EMPTY
    room.pass_time(300)
    assert room.keeper.effort() == Effort(batch=16)
    assert room.given_back == 6
    assert sum(room.keeper.counters.values()) == len(room.steps) == 2 * (3 + len(LADDER))


def test_the_effort_is_lowered_before_memory_is_asked_back(room: Room) -> None:
    seen: list[int] = []
    room.keeper._give_back = lambda: seen.append(room.keeper.effort().batch)
    room.pressure = FULL
    room.pass_time(0.3)
    assert seen == [8]


def test_heat_feeds_the_same_ladder(room: Room) -> None:
    room.heat = Telemetry("sysfs", 99.0, "cpu", None, 12.0, "too hot: cpu-throttle-alert")
    room.pass_time(1)
    assert [(step.name, step.why) for step in room.steps] == [("extras", "too hot: cpu-throttle-alert")]


def test_a_stage_whose_engine_gets_no_memory_halves_the_batch_and_fails_as_before(room: Room) -> None:
    def stage(_batch: Sequence[int]) -> list[int]:
        raise NoMemory("no")

    with pytest.raises(NoMemory):
        room.keeper.minding(stage)([1])
    assert room.keeper.effort().batch == 8
    assert room.given_back == 1


def test_other_faults_of_a_stage_are_none_of_its_business(room: Room) -> None:
    def stage(_batch: Sequence[int]) -> list[int]:
        raise EngineError("broken")

    with pytest.raises(EngineError):
        room.keeper.minding(stage)([1])
    assert room.steps == []
    assert room.keeper.minding(lambda batch: [*batch])([1, 2]) == [1, 2]


def test_threads_that_fail_together_halve_once(room: Room) -> None:
    threads = [threading.Thread(target=room.keeper.out_of_memory) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [step.effort.batch for step in room.steps] == [8]


def test_the_state_shows_what_holds_and_where_it_comes_from(room: Room) -> None:
    room.pressure = SHORT
    room.heat = Telemetry("sysfs", 51.26, "gpu", 0.4, 4.2345, "")
    room.pass_time(1)
    shown = ShownGovernor.model_validate(room.keeper.as_json())
    assert (shown.pressure, shown.source, shown.batch, shown.shed) == (0.95, "cgroup 95 %", 8, ["extras"])
    assert (shown.temperature_c, shown.zone, shown.power_w) == (51.3, "gpu", 4.2)


def test_where_nothing_can_be_read_the_state_says_so(room: Room) -> None:
    room.pressure = None
    room.pass_time(1)
    shown = ShownGovernor.model_validate(room.keeper.as_json())
    assert (shown.pressure, shown.source, shown.temperature_c, shown.batch) == (None, "", None, 16)


def test_metrics_get_what_there_is(room: Room) -> None:
    room.pressure = SHORT
    room.pass_time(0.5)
    readings = room.keeper.readings()
    assert readings.keys() <= ASKED.keys()
    assert list(readings.values()) == [0.95, 1, 8, None, None]


def test_every_step_there_is_fits_its_event(room: Room) -> None:
    room.pressure = SHORT
    room.pass_time(60)
    names = [GovernorEvent(**told(step)).step for step in room.steps]
    assert set(names) == {"batch", *(rung.name for rung in LADDER)}
