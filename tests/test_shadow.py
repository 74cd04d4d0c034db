"""Networks on trial that look on: they change nothing, hold up nothing, and their trouble is their own."""

from __future__ import annotations

import logging
import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from faceedge import witness
from faceedge.bundle import Bundle
from faceedge.errors import EngineError
from faceedge.hearing import Hearing
from faceedge.shadow import WAITING_MOST, Shadow
from faceedge.trial import Rules, Trial
from faceedge.trial_lines import lines
from faceedge.types import Assessment, Face, Image, Match, Shot
from tests import test_canary as canary

ANNA = Match("anna", 0.9, 0.3)


def shot(track: int, frame: Image | None = canary.FRAME) -> Shot:
    where = Face(np.array([0, 0, 120, 120], np.float32), 1.0, np.zeros((5, 2), np.float32))
    return Shot("entry", track, track, 100.0, where, np.zeros((4, 4, 3), np.uint8), Assessment(0.9), 0, frame)


class Onlooker:
    """A shadow whose networks wait until they may go on. says: what each look gives, or raises."""

    def __init__(self, says: canary.Said = canary.ALSO_SURE, detects_s: float = 0.0, took_s: float = 0.0) -> None:
        self.serving: Bundle = canary.bundle(canary.SERVING)
        self.says, self.took_s = says, took_s
        self.may_go_on, self.looked = threading.Event(), threading.Semaphore(0)
        self.seen: list[int] = []
        second = canary.bundle(canary.SECOND)
        asked = SimpleNamespace(bundle=second, look=self.look, has_own_eyes=took_s > 0)
        self.hearing = Hearing(
            self.serving, cast(Any, asked), Trial(Rules(), lambda: 0.0), lambda: detects_s
        )  # fmt: skip
        self.is_free = True
        self.shadow = Shadow(self.hearing, lambda: self.is_free)

    def look(self, shot: Shot) -> witness.Testimony:
        self.looked.release()
        self.may_go_on.wait(10)
        self.seen.append(shot.track)
        if isinstance(self.says, Exception):
            raise self.says
        assert self.says is not None
        return witness.Testimony(shot, self.says, self.took_s, 0.02, 0.02 + self.took_s)

    def shows(self, track: int, *, has_frame: bool = True) -> Match:
        return self.shadow.heard(shot(track, canary.FRAME if has_frame else None), canary.TEMPLATE, ANNA)

    def looks_at_all(self, tracks: int) -> None:
        self.may_go_on.set()
        self.shadow.start()
        for track in range(tracks):
            assert self.shows(track) is ANNA
            assert self.looked.acquire(timeout=10)
        assert self.shadow.stop()


def test_the_match_stays_as_it_is_whatever_those_on_trial_say() -> None:
    at = Onlooker(canary.OTHER)
    at.looks_at_all(3)
    assert at.hearing.report()["shots"]["different"] == 3


def test_who_shows_never_waits_and_the_newest_of_a_face_wins() -> None:
    at = Onlooker()
    at.shadow.start()
    at.shows(99)
    assert at.looked.acquire(timeout=10)  # and there it hangs
    for track in [1, 1, 1, 2, 3, 4, 5, 6]:
        assert at.shows(track) is ANNA
    at.may_go_on.set()
    for _ in range(WAITING_MOST):
        assert at.looked.acquire(timeout=10)
    assert at.shadow.stop()
    assert (at.seen[0], len(at.seen)) == (99, 1 + WAITING_MOST)
    assert at.seen.count(1) <= 1
    assert at.shadow.report()["skipped"] == 8 - WAITING_MOST


def test_a_shot_without_its_frame_and_one_when_nothing_can_be_spared_are_left_out() -> None:
    at = Onlooker()
    at.may_go_on.set()
    at.shadow.start()
    at.shows(1, has_frame=False)
    at.is_free = False
    at.shows(2)
    at.is_free = True
    at.shows(3)
    assert at.looked.acquire(timeout=10)
    assert at.shadow.stop()
    assert at.seen == [3]


@pytest.mark.parametrize("fault", [EngineError("no memory"), ValueError("of Anna"), MemoryError()])
def test_networks_that_fail_are_told_of_once_and_given_up_and_the_thread_goes_on(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    at = Onlooker(fault)
    with caplog.at_level(logging.WARNING):
        at.looks_at_all(5)
    assert at.hearing.verdict().startswith("3 of the last 3 shots failed")
    assert at.hearing.report()["errors"]["all"] == 5
    assert len(caplog.records) == 1
    assert "Anna" not in at.hearing.verdict() + caplog.text


def test_it_stops_within_its_time_though_a_network_hangs() -> None:
    at = Onlooker()
    at.shadow.start()
    at.shows(1)
    assert at.looked.acquire(timeout=10)
    threading.Timer(0.05, at.may_go_on.set).start()
    assert at.shadow.stop()
    assert Onlooker().shadow.stop(), "one that never ran, too"


def latency(at: Onlooker) -> dict[str, Any]:
    at.shadow.took(0.08, 8)
    at.looks_at_all(4)
    told: dict[str, Any] = at.hearing.report()["latency_ms"]
    return told


def test_times_are_those_of_the_recognisers_where_the_detector_is_the_same_or_its_time_is_not_known() -> None:
    for at in (Onlooker(), Onlooker(took_s=0.1)):
        told = latency(at)
        assert (told["serving"]["median"], told["second"]["median"], told["ratio"]) == (10, 20, 2)


def test_times_are_those_of_both_networks_where_the_detector_is_another() -> None:
    told = latency(Onlooker(detects_s=0.05, took_s=0.1))
    assert (told["serving"]["median"], told["second"]["median"]) == (60, 120)


def test_shots_like_people_who_are_not_enrolled_for_them_are_left_out_and_told() -> None:
    at = Onlooker()
    assert at.hearing.ask(shot(1), Match("new", 0.9, 0.3)) == "none"
    report = at.hearing.report()
    assert (report["shots"]["all"], report["not_enrolled"]) == (0, 1)
    assert "left out: 1 shots like people who are not enrolled for what is on trial" in lines(report)


def test_memory_counts_what_only_one_of_both_holds() -> None:
    at = Onlooker()
    held = {name: SimpleNamespace(memory=SimpleNamespace(weights=size, working=500_000)) for name, size in
            (("eyes", 1_000_000), ("old", 4_000_000), ("new", 5_000_000))}  # fmt: skip
    engines = at.serving.vision.engines
    engines.update(cast(Any, {"detector": held["eyes"], "recognizer": held["old"]}))
    at.hearing._witness.bundle.vision.engines.update(cast(Any, {"detector": held["eyes"], "recognizer": held["new"]}))
    memory = at.hearing.report()["memory_mb"]
    assert (memory["serving"], memory["second"]) == ({"recognizer": 4.5}, {"recognizer": 5.5})
    assert memory["process"] > 10
