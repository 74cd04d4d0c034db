"""What every camera does, whatever its kind; a device and a CSI sensor are stand-ins inside the real process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.cameras import Camera, LiveCamera, Wish, open_camera, parse
from faceedge.cameras.child import ChildCamera, Limits
from faceedge.errors import CameraError
from tests.fakes.mjpeg import Stream, mjpeg_server

FAKES = Path(__file__).parents[1] / "fakes"
PATIENT = Limits(open_s=20.0, first_s=20.0, read_s=20.0)
WHO = "admin:hunter2@"
SECRETS = ("hunter2", "admin", "secrettoken")
FILES, LIVE = ("file", "images"), ("http", "device", "csi")
EVERY = FILES + LIVE


@dataclass
class Bench:
    """open(kind, manner): one camera of that kind, whose hardware behaves in that manner."""

    folder: Path
    stream: Stream

    def open(self, kind: str, manner: str = "", wish: Wish | None = None, limits: Limits = PATIENT) -> Camera:
        if kind in FILES:
            return open_camera(f"{kind}:{self.folder / ('clip.avi' if kind == 'file' else '')}")
        if kind == "http":
            uri, wish = self._http(manner), None
            return ChildCamera(parse(uri), uri, wish, limits=limits)
        uri = {"device": "/dev/video7", "csi": "csi:0"}[kind]
        command = [sys.executable, str(FAKES / "standin_camera.py"), manner]
        return ChildCamera(parse(uri), uri, wish, command, limits)

    def live(self, kind: str, manner: str = "", wish: Wish | None = None, limits: Limits = PATIENT) -> LiveCamera:
        camera = self.open(kind, manner, wish, limits)
        assert isinstance(camera, ChildCamera)
        return camera

    def _http(self, manner: str) -> str:
        self.stream.credentials = WHO.rstrip("@")
        self.stream.is_mute = manner == "slow to open"
        self.stream.is_cut = manner in ("absent", "fails", "undecodable")
        return self.stream.uri(WHO)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(8):
        picture = np.full((48, 64, 3), level * 30, np.uint8)
        writer.write(picture)
        cv2.imwrite(str(tmp_path / f"{level}.png"), picture)
    writer.release()
    with mjpeg_server() as stream:
        yield Bench(tmp_path, stream)


@pytest.mark.parametrize("kind", EVERY)
def test_it_delivers_pictures_of_our_own_in_blue_green_red(bench: Bench, kind: str) -> None:
    camera = bench.open(kind)
    pictures = [camera.read() for _ in range(4)]
    camera.close()
    for picture in pictures:
        assert picture is not None
        assert (picture.dtype, picture.ndim, picture.shape[2]) == (np.uint8, 3, 3)
        assert picture.flags.writeable
    assert len({float(picture.mean()) for picture in pictures if picture is not None}) == 4


@pytest.mark.parametrize("kind", EVERY)
def test_it_says_whether_it_has_a_pace_of_its_own(bench: Bench, kind: str) -> None:
    camera = bench.open(kind)
    assert (camera.fps == 0.0) == (kind in LIVE)
    camera.close()


@pytest.mark.parametrize("kind", EVERY)
def test_it_may_be_closed_twice_and_at_any_moment(bench: Bench, kind: str) -> None:
    for reads in (0, 2):
        camera = bench.open(kind)
        for _ in range(reads):
            camera.read()
        camera.close()
        camera.close()


@pytest.mark.parametrize("kind", FILES)
def test_a_file_has_an_end(bench: Bench, kind: str) -> None:
    camera = bench.open(kind)
    assert [camera.read() is None for _ in range(10)] == [False] * 8 + [True] * 2
    camera.close()


@pytest.mark.parametrize("kind", LIVE)
def test_the_time_of_a_picture_is_that_of_its_receipt_and_rises(bench: Bench, kind: str) -> None:
    camera, times = bench.live(kind), [time.monotonic()]
    while len(times) < 6:
        if (picture := camera.take(0.05)) is not None:
            times.append(picture.received)
    camera.close()
    assert times == sorted(set(times))
    assert times[-1] <= time.monotonic()


@pytest.mark.parametrize("kind", LIVE)
def test_a_slow_reader_gets_the_newest_picture(bench: Bench, kind: str) -> None:
    camera = bench.live(kind)
    camera.read()
    time.sleep(0.3)
    asked = time.monotonic()
    while (picture := camera.take(0.05)) is None:
        pass
    camera.close()
    assert picture.received >= asked - 0.1


@pytest.mark.parametrize("kind", LIVE)
@pytest.mark.parametrize("manner", ["absent", "fails", "undecodable"])
def test_what_goes_wrong_is_said_in_one_line_that_names_the_camera_and_no_secret(
    bench: Bench, kind: str, manner: str
) -> None:
    told = failure(bench.live(kind, manner))
    assert "\n" not in told
    assert {"http": "http://127.0.0.1", "device": "/dev/video7", "csi": "csi:0"}[kind] in told
    assert not any(secret in told for secret in SECRETS)


@pytest.mark.parametrize("kind", LIVE)
def test_an_opening_that_hangs_ends_in_time_and_leaves_the_caller_his_turn(bench: Bench, kind: str) -> None:
    camera = bench.live(kind, "slow to open", limits=Limits(open_s=0.6, first_s=0.2))
    start = time.monotonic()
    steps = failure_steps(camera)
    assert time.monotonic() - start < 5.0
    assert steps >= 2
    assert not children()


def test_a_device_that_falls_silent_is_given_up_in_time(bench: Bench) -> None:
    for kind in ("device", "csi"):
        limits = Limits(open_s=20.0, first_s=20.0, read_s=0.3)
        assert "stopped delivering" in failure(bench.live(kind, "mute", limits=limits))


def test_a_stream_that_falls_silent_is_given_up_in_time(bench: Bench) -> None:
    camera = bench.live("http", limits=Limits(open_s=20.0, first_s=20.0, read_s=0.3))
    camera.read()
    bench.stream.is_mute = True
    assert "stopped delivering" in failure(camera)


@pytest.mark.parametrize("kind", ["device", "csi"])
def test_a_camera_is_asked_for_a_size_and_delivers_it(bench: Bench, kind: str) -> None:
    camera = bench.open(kind, wish=Wish(160, 96, 15))
    picture = camera.read()
    camera.close()
    assert picture is not None
    assert picture.shape == (96, 160, 3)


@pytest.mark.parametrize("kind", ["device", "csi"])
def test_a_camera_that_delivers_another_size_has_a_fault(bench: Bench, kind: str) -> None:
    assert "not the 160 x 96 it was asked for" in failure(bench.live(kind, "odd size", Wish(160, 96)))


def test_a_device_that_claims_one_size_and_delivers_another_is_believed_its_pictures(bench: Bench) -> None:
    camera = bench.open("device", "claims")
    pictures = [camera.read() for _ in range(3)]
    camera.close()
    assert all(picture is not None and picture.shape == (48, 64, 3) for picture in pictures)


@pytest.mark.parametrize("kind", LIVE)
def test_no_process_shows_where_its_camera_is(bench: Bench, kind: str) -> None:
    camera = bench.open(kind)
    camera.read()
    shown = b"".join(
        Path(f"/proc/{child}/{file}").read_bytes() for child in children() for file in ("cmdline", "environ")
    )
    camera.close()
    assert shown
    assert not any(secret.encode() in shown for secret in SECRETS)


@pytest.mark.parametrize("kind", LIVE)
def test_who_asks_all_processes_of_the_service_to_leave_gets_no_fault_of_a_camera(bench: Bench, kind: str) -> None:
    camera = bench.open(kind)
    camera.read()
    for child in children():
        os.kill(int(child), signal.SIGTERM)
    assert all(camera.read() is not None for _ in range(5))
    camera.close()


@pytest.mark.parametrize("kind", EVERY)
def test_nothing_is_left_of_a_closed_camera(bench: Bench, kind: str) -> None:
    bench.open(kind).close()  # what is loaded once, is
    before = len(os.listdir("/proc/self/fd"))
    camera = bench.open(kind)
    camera.read()
    camera.close()
    assert not children()
    assert settles(lambda: len(os.listdir("/proc/self/fd")) <= before)


def failure(camera: LiveCamera) -> str:
    try:
        for _ in range(200):
            camera.take(1.0)
    except CameraError as error:
        return str(error)
    finally:
        camera.close()
    raise AssertionError("it never failed")


def failure_steps(camera: LiveCamera) -> int:
    steps = 0
    try:
        while True:
            camera.take(0.1)
            steps += 1
    except CameraError:
        return steps
    finally:
        camera.close()


def children() -> list[str]:
    """Processes of cameras, whatever else the tests of this process have started."""
    mine = [child for task in Path("/proc/self/task").glob("*/children") for child in task.read_text().split()]
    return [child for child in mine if b"camera" in Path(f"/proc/{child}/cmdline").read_bytes()]


def settles(fact: Callable[[], bool]) -> bool:
    """The server of the test closes its own end a moment later."""
    deadline = time.monotonic() + 5.0
    while not fact() and time.monotonic() < deadline:
        time.sleep(0.01)
    return fact()
