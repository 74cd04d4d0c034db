"""What goes wrong while other networks take over: what served before goes on serving, and nobody vanishes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from faceedge import flow as flow_module
from faceedge.bundle import Turn
from faceedge.errors import EngineError
from faceedge.flow import Flow
from faceedge.stages.detect import DetectStage
from tests.test_change import Door, Networks, shot, standing


class Hall:
    """Both stages, without their threads, and the flow that changes their networks."""

    def __init__(self) -> None:
        self.old = Networks("old")
        self.door = Door(self.old)
        self.detect = DetectStage(cast(Any, self.old), lambda _event: None)
        self.pipeline = SimpleNamespace(is_ending=False)
        self.flow = Flow.__new__(Flow)
        parts: dict[str, Any] = {
            "detect": self.detect, "recognise": self.door.stage, "pipeline": self.pipeline,
            "serving": self.old.bundle(0),
        }  # fmt: skip
        vars(self.flow).update(parts)

    def sees(self, *seqs: int) -> None:
        for seq in seqs:
            self.door.see(*self.detect([standing(seq)]))

    def change_while(self, work: Callable[[], None], new: Networks) -> list[EngineError]:
        """What comes of a change while the stages do this."""
        raised: list[EngineError] = []

        def change() -> None:
            try:
                self.flow.change(new.bundle(1))
            except EngineError as error:
                raised.append(error)

        asking = threading.Thread(target=change, daemon=True)
        asking.start()
        while asking.is_alive():
            work()
            asking.join(0.001)
        return raised


@pytest.fixture
def hall(monkeypatch: pytest.MonkeyPatch) -> Hall:
    monkeypatch.setattr(flow_module, "LOOK_S", 0.005)
    monkeypatch.setattr(flow_module, "LOOKS", 4000)
    return Hall()


def test_a_door_without_faces_changes_its_networks(hall: Hall) -> None:
    def idle() -> None:
        hall.detect([])
        hall.door.see()

    new = Networks("new")
    assert hall.change_while(idle, new) == []
    hall.sees(*range(0, 30, 3))
    assert (hall.old.calls, new.calls, hall.door.outcomes) == (0, 9, [("grant", "match")])
    assert hall.flow.serving.number == 1


def test_what_a_busy_detector_has_not_taken_in_time_it_never_takes(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would ask networks that were closed meanwhile, and cut shots that nobody recognises."""
    monkeypatch.setattr(flow_module, "LOOKS", 2)
    new = Networks("new")
    (error,) = hall.change_while(lambda: None, new)
    assert "too busy" in str(error)
    hall.sees(*range(0, 30, 3))
    assert (hall.old.calls, new.calls, hall.door.outcomes) == (9, 0, [("grant", "match")])
    assert hall.flow.serving.number == 0


def test_once_the_detector_has_turned_the_recogniser_is_waited_for_however_long_it_takes(hall: Hall) -> None:
    new, looks = Networks("new"), iter(range(20))

    def slow() -> None:
        hall.detect([])
        if next(looks, None) is None:
            hall.door.see()

    assert hall.change_while(slow, new) == []
    hall.sees(*range(0, 30, 3))
    assert (new.calls, hall.door.outcomes) == (9, [("grant", "match")])


def test_a_daemon_that_ends_waits_for_no_stage(hall: Hall) -> None:
    hall.pipeline.is_ending = True
    (error,) = hall.change_while(lambda: None, Networks("new"))
    assert "the daemon ends" in str(error)


def test_after_a_change_that_came_to_nothing_another_one_succeeds(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hurried:
        hurried.setattr(flow_module, "LOOKS", 2)
        assert hall.change_while(lambda: None, Networks("first"))
    other = Networks("other")
    assert hall.change_while(lambda: (hall.detect([]), hall.door.see())[1], other) == []
    hall.sees(*range(0, 30, 3))
    assert (other.calls, hall.door.outcomes) == (9, [("grant", "match")])


def test_a_turn_is_taken_by_its_stage_or_taken_back_never_both() -> None:
    turn = Turn(Networks("new").bundle(1))
    stage = DetectStage(cast(Any, Networks("old")), lambda _event: None)
    assert turn.claim()
    stage.change(turn)
    assert [one.generation for seq in range(2) for one in stage([standing(seq)])] == [0]
    assert not turn.taken.is_set()


def test_a_shot_cut_for_networks_that_nobody_lets_serve_is_refused_and_not_forgotten() -> None:
    door = Door(Networks("old"))
    door.stage.change(Turn(Networks("new").bundle(2)))
    door.see(shot(0, 1, track=7), shot(1, 2, track=8))
    door.stage.finish()
    assert sorted((one.track, one.outcome) for one in door.said) == [(7, "deny"), (8, "deny")]


def test_who_was_held_back_for_a_better_picture_still_comes_when_the_new_detector_fails_at_once() -> None:
    old, new = Networks("old", quality=0.3), Networks("new")
    stage = DetectStage(cast(Any, old), lambda _event: None)
    assert [one for seq in range(2) for one in stage([standing(seq)])] == []
    sound = new.detector.detect
    new.detector.detect = fails
    stage.change(Turn(new.bundle(1)))
    with suppress(EngineError):
        stage([standing(2)])
        pytest.fail("the new detector fails")
    stage.reopen()
    new.detector.detect = sound
    assert [(one.track, one.seq, one.generation) for one in stage([])] == [(1, 1, 0)]


def fails(*_: object) -> Any:
    raise EngineError("the network fails")
