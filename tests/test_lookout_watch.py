"""Pictures that stand still go no further, and which sources are watched for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from faceedge.config import Camera
from faceedge.health.cameras import CameraHealth
from faceedge.lookout import Lookout
from faceedge.types import Frame

SCENE = (
    np.random.default_rng(1).integers(40, 210, (9, 16), np.uint8).repeat(10, 0).repeat(10, 1)[..., None].repeat(3, 2)
)


def frames(numbers: list[int]) -> Iterator[Frame | None]:
    """One a second; equal numbers are equal pictures, 0 is time that passes without one."""
    for second, number in enumerate(numbers):
        yield Frame("entry", second, (SCENE + np.uint8(number)), float(second)) if number else None


def passed(numbers: list[int], uri: str = "rtsp://camera.invalid/", **how: Any) -> tuple[list[bool], CameraHealth]:
    """Which of them reach the pipeline."""
    health = CameraHealth(["entry"], lambda *_: None, lambda: 0.0)
    camera = Camera(name="entry", uri=uri, loop=how.pop("loop", False))
    lookout = Lookout([camera], health, once=False, **how)
    watched = lookout._watched(camera, lookout._past(camera), frames(numbers))
    return [frame is not None for frame in watched], health


def test_a_still_picture_is_withheld_from_the_third_second_on_and_the_next_one_passes() -> None:
    reached, health = passed([1, 2, 2, 2, 2, 2, 3])
    assert reached == [True, True, True, True, False, False, True]
    assert health.why_shut("entry") == ""


def test_while_it_stands_still_the_camera_is_shut_also_when_it_goes_away_and_comes_back_so() -> None:
    reached, health = passed([2, 2, 2, 2, 0, 0, 2, 0])
    assert reached == [True, True, True, False, False, False, False, False]
    assert health.why_shut("entry") != ""


def test_a_clip_may_stand_still_unless_files_are_watched_too() -> None:
    assert all(passed([2] * 6, "file:clip.mp4")[0])
    assert passed([2] * 6, "file:clip.mp4", watch_all=True)[0] == [True, True, True, False, False, False]


@pytest.mark.parametrize("loop", [False, True])
def test_a_live_source_that_repeats_itself_is_withheld_unless_that_is_meant(loop: bool) -> None:
    reached, _ = passed([1, 2, 3, 4] * 20, loop=loop)
    assert reached[-1] == loop
    assert all(reached[:12])


def test_what_was_seen_is_not_forgotten_when_a_fault_of_ours_ends_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    health = CameraHealth(["entry"], lambda *_: None, lambda: 0.0)
    lookout = Lookout([Camera(name="entry", uri="rtsp://camera.invalid/")], health, once=False)
    monkeypatch.setattr("faceedge.lookout.live", lambda *_: frames([2] * 5))
    source, stop = lookout.sources()["entry"], threading.Event()
    assert [frame is not None for frame in source(stop)] == [True] * 3 + [False] * 2
    assert [frame is not None for frame in source(stop)] == [False] * 5
    assert health.why_shut("entry") != ""


def test_a_daemon_that_works_through_a_file_watches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faceedge.lookout.PictureWatch", None)
    health = CameraHealth(["entry"], lambda *_: None)
    lookout = Lookout([Camera(name="entry", uri="file:clip.mp4")], health, once=True, watch_all=True)
    monkeypatch.setattr(lookout, "_opening", lambda *_: lambda: frames([2] * 6))
    assert len(list(lookout.sources()["entry"](threading.Event()))) == 6
