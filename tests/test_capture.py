"""A clip plays at its own pace, skips what came too late, and loses nothing when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from random import Random

import numpy as np
import pytest

from faceedge.cameras.backoff import Backoff
from faceedge.cameras.base import Picture
from faceedge.capture import live, paced, reopened
from faceedge.errors import CameraError
from faceedge.types import Frame, Image


class Clip:
    """Ten pictures at 10 fps; reading picture `slow_at` takes `slow_s` of the clock."""

    fps = 10.0

    def __init__(self, clock: Clock, slow_at: int = -1, slow_s: float = 0.0) -> None:
        self.clock, self.slow_at, self.slow_s = clock, slow_at, slow_s
        self.at, self.is_closed = 0, False

    def read(self) -> Image | None:
        if self.at == 10:
            return None
        if self.at == self.slow_at:
            self.clock.now += self.slow_s
        self.at += 1
        return np.full((2, 2, 3), self.at, np.uint8)

    def close(self) -> None:
        self.is_closed = True


class Clock(threading.Event):
    """Time that passes only when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0
        return False


def test_a_clip_plays_at_its_own_rate_with_the_time_of_each_picture() -> None:
    clock = Clock()
    frames = list(paced("entry", lambda: Clip(clock), clock, clock=clock))
    assert [frame.seq for frame in frames] == list(range(10))
    assert [frame.captured for frame in frames] == pytest.approx([50 + n / 10 for n in range(10)])


def test_pictures_overtaken_by_time_are_skipped_as_a_camera_would() -> None:
    clock = Clock()
    frames = list(paced("entry", lambda: Clip(clock, slow_at=3, slow_s=0.35), clock, clock=clock))
    assert [frame.seq for frame in frames] == [0, 1, 2, 5, 6, 7, 8, 9]


def test_without_real_time_nothing_is_skipped_and_media_time_counts() -> None:
    clock = Clock()
    frames = list(paced("entry", lambda: Clip(clock, slow_at=3, slow_s=9.0), clock, realtime=False, clock=clock))
    assert [round(frame.captured - 50, 3) for frame in frames] == [n / 10 for n in range(10)]


def test_a_loop_goes_on_counting_and_closes_every_pass() -> None:
    clock = Clock()
    clips: list[Clip] = []

    def fresh() -> Clip:
        clips.append(Clip(clock))
        return clips[-1]

    frames = paced("entry", fresh, clock, loop=True, clock=clock)
    assert [next(frames).seq for _ in range(25)] == list(range(25))
    frames.close()  # type: ignore[attr-defined]
    assert all(clip.is_closed for clip in clips)


def test_a_camera_that_fails_is_opened_again_and_the_fault_is_told() -> None:
    clock, faults = Clock(), []
    attempts = iter([True, True, False])

    def frames() -> Iterator[Frame]:
        if next(attempts):
            raise CameraError("the network camera stopped delivering")
        yield from paced("entry", lambda: Clip(clock), clock, clock=clock)

    given = list(reopened(frames, clock, faults.append, Backoff(Random(1), clock), clock))
    assert [frame.seq for frame in given if frame is not None] == list(range(10))
    assert given[0] is None, "a heart beats while the camera is away"
    assert faults == ["the network camera stopped delivering"] * 2


def test_a_clip_that_decodes_too_slowly_plays_slower_and_is_seen_all_the_same() -> None:
    clock = Clock()

    class Slow(Clip):
        def read(self) -> Image | None:
            self.clock.now += 0.3
            return super().read()

    frames = list(paced("entry", lambda: Slow(clock), clock, clock=clock))
    gaps = np.diff([frame.captured for frame in frames])
    assert len(frames) >= 4
    assert gaps.max() < 0.8, "longer, and the tracker would lose everybody"


@pytest.mark.parametrize("loop", [True, False])
def test_a_clip_without_a_picture_is_a_fault_and_not_an_endless_loop(loop: bool) -> None:
    clock = Clock()

    def spent() -> Clip:
        clip = Clip(clock)
        clip.at = 10
        return clip

    with pytest.raises(CameraError, match="not one picture"):
        next(paced("entry", spent, clock, loop=loop, clock=clock))


class Far:
    """A live camera: its takes give, in turn, a picture, nothing for as long as they wait, or a fault."""

    fps = 0.0

    def __init__(self, clock: Clock, takes: str) -> None:
        self.clock, self.takes = clock, iter(takes)
        self.is_closed = False

    def take(self, wait_s: float) -> Picture | None:
        match next(self.takes, "!"):
            case "p":
                return Picture(np.zeros((2, 2, 3), np.uint8), self.clock.now - 0.01)
            case ".":
                self.clock.now += wait_s
                return None
            case _:
                raise CameraError("the network camera stopped delivering")

    def read(self) -> Image | None:
        raise NotImplementedError

    def close(self) -> None:
        self.is_closed = True


def test_frames_of_a_live_camera_bear_the_time_of_their_receipt_and_the_waiting_shows() -> None:
    clock = Clock()
    frames = live("entry", lambda: Far(clock, "..p.p"), clock, count())
    given = [next(frames) for _ in range(5)]
    assert [frame is None for frame in given] == [True, True, False, True, False]
    assert [frame.captured for frame in given if frame is not None] == pytest.approx([50.19, 50.29])
    with pytest.raises(CameraError, match="stopped delivering"):
        next(frames)


def test_a_live_camera_is_closed_when_it_fails_when_asked_to_stop_and_when_nobody_wants_its_frames() -> None:
    for end in ("fault", "stop", "left"):
        clock = Clock()
        camera = Far(clock, "p" if end == "fault" else "ppppp")
        frames = live("entry", lambda: camera, clock, count())  # noqa: B023
        next(frames)
        if end == "left":
            frames.close()
        elif end == "stop":
            clock.set()
            assert list(frames) == []
        else:
            with pytest.raises(CameraError):
                next(frames)
        assert camera.is_closed


def test_a_camera_that_has_gone_stale_is_closed_and_opened_anew() -> None:
    clock, stale = Clock(), iter([False, False, True, False, False, False])
    cameras: list[Far] = []

    def fresh() -> Far:
        cameras.append(Far(clock, "ppppp"))
        return cameras[-1]

    frames = live("entry", fresh, clock, count(), lambda: next(stale))
    assert [frame.seq for frame, _ in zip(frames, range(4), strict=False) if frame is not None] == [0, 1, 2, 3]
    assert [camera.is_closed for camera in cameras] == [True, False]


def test_numbers_of_frames_go_on_when_a_camera_is_opened_again() -> None:
    clock, numbers = Clock(), count()
    frames = reopened(
        lambda: live("entry", lambda: Far(clock, "pp"), clock, numbers), clock, str, Backoff(Random(1), clock), clock
    )
    seen = [frame.seq for frame, _ in zip((frame for frame in frames if frame is not None), range(6), strict=False)]
    assert seen == [0, 1, 2, 3, 4, 5]


def test_a_camera_that_never_opens_leaves_no_heart_silent_for_a_second() -> None:
    clock = Clock()
    frames = reopened(
        lambda: live("entry", lambda: Far(clock, "." * 50), clock, count()),
        clock,
        str,
        Backoff(Random(1), clock),
        clock,
    )
    last, longest = clock.now, 0.0
    while clock.now < 200:
        assert next(frames) is None
        last, longest = clock.now, max(longest, clock.now - last)
    assert longest <= 0.6


def test_a_stop_during_a_pause_is_obeyed_at_once() -> None:
    clock = Clock()
    frames = reopened(
        lambda: live("entry", lambda: Far(clock, ""), clock, count()), clock, str, Backoff(Random(1), clock), clock
    )
    assert next(frames) is None
    clock.set()
    start = clock.now
    assert list(frames) == []
    assert clock.now - start <= 0.5
