"""Each camera of the configuration is opened as it says, looked after, and left at once when it is time to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge import lookout
from faceedge.cameras import LiveCamera, Picture, Wish
from faceedge.cameras.child import ChildCamera
from faceedge.cameras.renewal import PROOF_S
from faceedge.cameras.watch import STILL_S
from faceedge.config import Camera
from faceedge.errors import CameraError
from faceedge.health.cameras import CameraHealth
from faceedge.lookout import Lookout, check_files
from faceedge.types import Frame
from tests.fakes.mjpeg import Stream, mjpeg_server


@pytest.fixture
def stream() -> Iterator[Stream]:
    with mjpeg_server() as stream:
        yield stream


@pytest.fixture
def health() -> CameraHealth:
    return CameraHealth(["entry"], lambda *_: None)


def frames_of(uri: str, health: CameraHealth, stop: threading.Event) -> Iterator[Frame | None]:
    return Lookout([Camera(name="entry", uri=uri)], health, once=False).sources()["entry"](stop)


def test_a_live_camera_is_asked_for_what_the_configuration_says(
    health: CameraHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Wish]] = []

    def opened(uri: str, wish: Wish) -> LiveCamera:
        asked.append((uri, wish))
        raise CameraError("no such camera")

    monkeypatch.setattr(lookout, "open_live", opened)
    camera = Camera(name="entry", uri="csi:0", width=1280, height=720, fps=15, decode="hardware")
    frames = Lookout([camera], health, once=False).sources()["entry"](threading.Event())
    assert next(iter(frames)) is None
    assert asked == [("csi:0", Wish(1280, 720, 15, "hardware"))]
    assert health.as_json()[0]["why"] == "no such camera"


def test_a_camera_that_comes_back_is_well_again(stream: Stream, health: CameraHealth) -> None:
    stop = threading.Event()
    stream.is_cut = True
    frames = frames_of(stream.uri(), health, stop)
    for frame in frames:
        if not health.as_json()[0]["ok"]:
            stream.is_cut = False
        if frame is not None:
            break
    assert health.as_json()[0]["ok"]
    stop.set()
    assert list(frames) == []


@pytest.mark.parametrize("is_mute", [True, False])
def test_a_stop_ends_a_camera_within_a_second_whatever_it_does(
    stream: Stream, health: CameraHealth, is_mute: bool
) -> None:
    stop = threading.Event()
    stream.is_mute = is_mute
    frames = frames_of(stream.uri(), health, stop)
    for _ in range(3):
        next(frames)
    stop.set()
    start = time.monotonic()
    assert all(frame is None for frame in frames)
    assert time.monotonic() - start < 1.0


def test_a_camera_that_stands_still_is_opened_anew_and_must_move_before_it_counts(
    health: CameraHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[HungCamera] = []

    def fresh(_uri: str, _wish: Wish) -> LiveCamera:
        opened.append(HungCamera(opened[-1].now if opened else 0.0, moves=len(opened) == 2))
        return opened[-1]

    monkeypatch.setattr(lookout, "open_live", fresh)
    frames = frames_of("csi:0", health, threading.Event())
    good = [frame.captured for frame, _ in zip(frames, range(400), strict=False) if frame is not None]
    assert len(opened) == 3
    assert [camera.is_closed for camera in opened] == [True, True, False]
    began = opened[2].began
    assert not [when for when in good if STILL_S + 0.2 < when < began + PROOF_S], (
        "a hung picture was taken for a new one"
    )
    assert good[-1] > began + PROOF_S


def test_a_camera_that_fails_while_it_stands_still_must_move_before_it_counts(
    health: CameraHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[HungCamera] = []

    def fresh(_uri: str, _wish: Wish) -> LiveCamera:
        opened.append(HungCamera(5.0 * len(opened), moves=bool(opened), fails_at=4.0))
        return opened[-1]

    monkeypatch.setattr(lookout, "open_live", fresh)
    monkeypatch.setattr("faceedge.cameras.backoff.LONGEST_S", 0.0)
    frames = frames_of("csi:0", health, threading.Event())
    good = [frame.captured for frame, _ in zip(frames, range(90), strict=False) if frame is not None]
    assert len(opened) == 2
    assert not [when for when in good if STILL_S + 0.2 < when < 5.0 + PROOF_S]
    assert good[-1] > 5.0 + PROOF_S


class HungCamera:
    """Ten pictures a second; the same one each time, but another than the one before it was opened."""

    fps = 0.0

    def __init__(self, now: float, moves: bool, fails_at: float | None = None) -> None:
        self.began = self.now = now
        self.is_closed, self._moves = False, moves
        self._fails_at = fails_at if not moves else None

    def take(self, _wait_s: float) -> Picture | None:
        self.now += 0.1
        if self._fails_at is not None and self.now > self._fails_at:
            raise CameraError("csi:0 stopped delivering")
        number = round(self.now * 10) if self._moves else round(self.began * 10)
        return Picture(np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8), self.now)

    def read(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.is_closed = True


def test_a_camera_without_a_picture_leaves_no_heart_silent_for_a_second(stream: Stream, health: CameraHealth) -> None:
    stream.is_mute = True
    stop, gaps = threading.Event(), [0.0]
    last = time.monotonic()
    for _ in frames_of(stream.uri(), health, stop):
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
        if len(gaps) == 8:
            stop.set()
    assert max(gaps) < 1.0


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [("file:/nowhere/a.mp4", "no such clip"), ("images:/nowhere", "no folder"), ("csi:left", "as in csi:0")],
)
def test_what_cannot_come_back_is_refused_at_the_start(uri: str, sentence: str) -> None:
    with pytest.raises(CameraError, match=sentence):
        check_files([Camera(name="entry", uri=uri)])


def test_live_cameras_are_not_opened_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChildCamera, "__init__", lambda *_: pytest.fail("it was opened"))
    check_files([Camera(name="entry", uri=uri) for uri in ("0", "/dev/video1", "csi:0", "rtsp://u:p@porch")])


def test_a_folder_needs_no_process(tmp_path: Path, health: CameraHealth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChildCamera, "__init__", lambda *_: pytest.fail("a process was started"))
    frames = frames_of(f"images:{tmp_path}", health, threading.Event())
    assert next(frames) is None
