"""What is measured, in what shapes, and what is left out: a vision that only moves the clock."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from faceedge.health.machine import Resident
from faceedge.jobs.bench import Result, measure
from faceedge.jobs.turns import LEAST
from faceedge.jobs.vision import Vision
from faceedge.types import Face, Image, Template

GB = 10**9
POINTS = np.array([[40, 50], [80, 50], [60, 70], [45, 90], [75, 90]], np.float32)
FACE, EMPTY = np.full((120, 120, 3), 200, np.uint8), np.zeros((120, 120, 3), np.uint8)


class ClockVision:
    """Every step costs a fixed number of ms; detection and recognition cost it for each of a batch.

    grows: bytes that the process takes for each frame of the largest batch so far.
    """

    scheme = "eyes_nose_mouth"

    def __init__(self, detect_ms: float = 20.0, *, has_network: bool = False, grows: int = 0) -> None:
        self.now_s = 0.0
        self.detect_ms, self.grows = detect_ms, grows
        self.largest = 0
        self.grader = object() if has_network else None
        self.detector = self.recognizer = self
        self.engines = {"detector": SimpleNamespace(max_batch=6), "recognizer": SimpleNamespace(max_batch=4)}

    def clock(self) -> float:
        return self.now_s

    def memory(self) -> Resident:
        held = self.largest * self.grows
        return Resident(held, held, 4 * GB)

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        self.now_s += len(images) * self.detect_ms / 1000
        self.largest = max(self.largest, len(images))
        box = np.array([10, 10, 110, 110], np.float32)
        small = Face(box / 4, 0.9, POINTS / 4)
        return [[small, Face(box, 0.8, POINTS)] if image.any() else [] for image in images]

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        assert [face.width_px for face in faces] == [100]
        self.now_s += 0.001
        return [np.zeros((112, 112, 3), np.uint8)]

    def grades(self, image: Image, faces: Sequence[Face], crops: Sequence[Image]) -> list[float]:
        self.now_s += 0.002
        return [0.5]

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        self.now_s += 0.004 * len(crops)
        return []


def measured(vision: ClockVision, seconds: float = 20.0, frames: Sequence[Image] = (FACE,)) -> Result:
    told: list[float] = []
    result = measure(
        cast(Vision, vision), frames, seconds, lambda text, done: told.append(done), vision.clock, vision.memory
    )
    assert told == sorted(told)
    assert told[-1] == 1.0
    return result


def medians(result: Result) -> dict[str, Any]:
    return {stage.name: pytest.approx(stage.ms.median) for stage in result.stages}


def test_every_stage_of_the_largest_face_is_timed_with_and_without_the_quality_network() -> None:
    assert medians(measured(ClockVision(has_network=True))) == {
        "detect": 20, "align and crop": 1, "assess": 0, "quality network": 2, "recognise": 4, "total": 25,
        "total with quality network": 27,
    }  # fmt: skip


def test_without_a_quality_network_there_is_one_total() -> None:
    assert list(medians(measured(ClockVision()))) == ["detect", "align and crop", "assess", "recognise", "total"]


def test_rates_count_the_members_of_a_batch() -> None:
    result = measured(ClockVision())
    rates = {(speed.role, speed.batch): speed.per_s.median for speed in result.speeds}
    assert rates == pytest.approx(
        {("detector", n): 50 for n in (1, 2, 4, 6)} | {("recognizer", n): 250 for n in (1, 2, 4)}
    )
    assert result.left_out == ()


def test_about_as_long_as_asked() -> None:
    assert measured(ClockVision(), seconds=5).seconds == pytest.approx(5, rel=0.1)


def test_a_batch_that_takes_too_long_is_left_out_and_named() -> None:
    result = measured(ClockVision(detect_ms=300))
    assert [speed.batch for speed in result.speeds if speed.role == "detector"] == [1, 2]
    assert result.left_out == ("detector, batch 4 and larger: would take longer than --seconds allows",)
    assert result.seconds < 25


def test_a_batch_that_would_take_the_memory_is_left_out_and_named() -> None:
    result = measured(ClockVision(grows=GB * 12 // 10))
    assert [speed.batch for speed in result.speeds if speed.role == "detector"] == [1, 2]
    assert result.left_out == ("detector, batch 4 and larger: would take more than half of the free memory",)


def test_a_network_that_is_too_slow_for_the_time_is_measured_all_the_same() -> None:
    result = measured(ClockVision(detect_ms=3000), seconds=1)
    assert min(stage.ms.samples for stage in result.stages) >= LEAST
    assert min(speed.per_s.samples for speed in result.speeds) >= LEAST


def test_a_picture_without_a_face_measures_detection_only() -> None:
    result = measured(ClockVision(), frames=[EMPTY])
    assert [stage.name for stage in result.stages] == ["detect"]
    assert {speed.role for speed in result.speeds} == {"detector"}


def test_pictures_take_turns_and_those_without_a_face_leave_the_rest_alone() -> None:
    result = measured(ClockVision(), frames=[EMPTY, FACE])
    samples = {stage.name: stage.ms.samples for stage in result.stages}
    assert samples["detect"] == pytest.approx(2 * samples["recognise"], abs=8)
    assert medians(result)["total"] == 25


def test_a_detector_that_becomes_slower_is_noticed_but_not_between_sizes() -> None:
    class Tiring(ClockVision):
        def detect(self, images: Sequence[Image]) -> list[list[Face]]:
            self.detect_ms *= 1.001
            return super().detect(images)

    assert measured(Tiring()).slowed > 1.1
    assert measured(ClockVision()).slowed == pytest.approx(1)
    assert measured(Tiring(), frames=[FACE, FACE[:100]]).slowed == 1.0
