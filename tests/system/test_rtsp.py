"""A network camera of Debian's GStreamer, seen through FFmpeg and through GStreamer, each in its own process."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from faceedge.cameras.child import COMMAND, ChildCamera, Limits
from faceedge.cameras.uri import parse
from faceedge.errors import CameraError
from faceedge.types import Image
from tests.cameras.test_child import children
from tests.fakes.rtsp_server import RtspServer, number_of

HARDWARE = (sys.executable, str(Path(__file__).parents[1] / "fakes" / "gst_worker.py"))
DECODERS = pytest.mark.parametrize("command", [COMMAND, HARDWARE], ids=["software", "gstreamer"])
USER, PASSWORD = "ad min", "hun@t/e:r2%"
ESCAPED = ("ad%20min", "hun%40t%2Fe%3Ar2%25")
PATIENT = Limits(open_s=20.0, first_s=20.0, read_s=10.0)
RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)

pytestmark = pytest.mark.system


@pytest.fixture
def server() -> Iterator[RtspServer]:
    with RtspServer(user=USER, password=PASSWORD) as server:
        yield server


@contextmanager
def opened(uri: str, command: Sequence[str], limits: Limits = PATIENT) -> Iterator[ChildCamera]:
    camera = ChildCamera(parse(uri), uri, None, command, limits)
    try:
        yield camera
    finally:
        camera.close()


def address(server: RtspServer, user: str = ESCAPED[0], password: str = ESCAPED[1], path: str = "door") -> str:
    return f"rtsp://{user}:{password}@127.0.0.1:{server.port}/{path}"


def failure(camera: ChildCamera) -> str:
    """What it says at its end."""
    with pytest.raises(CameraError) as caught:
        list(iter(camera.read, None))
    return str(caught.value)


def thirds(picture: Image) -> list[list[int]]:
    height, width = picture.shape[:2]
    return [picture[height // 2, width * place // 6].tolist() for place in (1, 3, 5)]


@DECODERS
def test_pictures_come_with_their_colours_past_user_and_password(server: RtspServer, command: Sequence[str]) -> None:
    with opened(address(server), command) as camera:
        pictures = [camera.read() for _ in range(5)]
        shown = b"".join(
            Path(f"/proc/{child}/{file}").read_bytes() for child in children() for file in ("cmdline", "environ")
        )
    assert shown
    assert not any(secret.encode() in shown for secret in (USER, PASSWORD, *ESCAPED))
    assert pictures[0].shape == (240, 320, 3)
    assert np.allclose(thirds(pictures[-1]), [RED, GREEN, BLUE], atol=12)
    numbers = [number_of(picture) for picture in pictures]
    assert numbers == sorted(set(numbers))


@DECODERS
def test_nobody_is_listened_to(server: RtspServer, command: Sequence[str]) -> None:
    with opened(address(server), command) as camera:
        camera.read()
    assert server.asked_for() == {"0"}


@DECODERS
def test_h265_is_understood_as_well(command: Sequence[str]) -> None:
    with RtspServer(codec="h265") as server, opened(server.uri, command) as camera:
        assert np.allclose(thirds(camera.read()), [RED, GREEN, BLUE], atol=12)


@DECODERS
def test_who_comes_late_gets_the_newest_picture(server: RtspServer, command: Sequence[str]) -> None:
    with opened(address(server), command) as camera:
        for _ in range(25):
            first = number_of(camera.read())
        time.sleep(1.0)
        assert number_of(camera.read()) - first >= 20, "not the one that followed, which waited a second"


def test_gstreamer_follows_another_resolution_without_a_break(server: RtspServer) -> None:
    with opened(address(server), HARDWARE) as camera:
        camera.read()
        server.show("size 640 480")
        while (picture := camera.read()).shape != (480, 640, 3):
            assert number_of(picture) < 100
    assert np.allclose(thirds(picture), [RED, GREEN, BLUE], atol=12)


def test_ffmpeg_scales_another_resolution_to_the_one_before(server: RtspServer) -> None:
    with opened(address(server), COMMAND) as camera:
        first = number_of(camera.read())
        server.show("size 640 480")
        while number_of(picture := camera.read()) < first + 50:
            assert picture.shape == (240, 320, 3)
    assert np.allclose(thirds(picture), [RED, GREEN, BLUE], atol=12)


@DECODERS
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "hunter3"}, "refuses the user or the password"),
        ({"user": "", "password": ""}, "refuses the user or the password"),
        ({"path": "garage"}, "no such stream; check the path"),
    ],
    ids=["password", "nobody", "path"],
)
def test_a_wrong_address_is_told_in_one_line_without_its_secrets(
    server: RtspServer, command: Sequence[str], wrong: dict[str, str], said: str
) -> None:
    with opened(address(server, **wrong), command) as camera:
        told = failure(camera)
    assert told.startswith(f"rtsp://127.0.0.1:{server.port}/… does not open: ")
    assert said in told
    assert "\n" not in told
    assert not any(secret in told for secret in (USER, PASSWORD, *ESCAPED, "hunter3", "garage"))


@DECODERS
@pytest.mark.parametrize("manner", ["cut", "freeze", "stall"])
def test_a_stream_that_ends_or_falls_silent_has_failed_within_the_limit(
    server: RtspServer, command: Sequence[str], manner: str
) -> None:
    silent_s = 4.0  # a server on a busy machine may pause for 2 s
    with opened(address(server), command, Limits(open_s=20.0, first_s=20.0, read_s=silent_s)) as camera:
        for _ in range(15):
            camera.read()
        if manner == "stall":
            server.show("stall")
        else:
            getattr(server, manner)()
        start = time.monotonic()
        assert "stopped delivering" in failure(camera)
        assert time.monotonic() - start < silent_s + 3.0, "the rest is the patience of a busy machine"


@DECODERS
def test_a_server_that_takes_the_call_and_says_nothing_does_not_open(
    server: RtspServer, command: Sequence[str]
) -> None:
    server.freeze()
    start = time.monotonic()
    with opened(address(server), command, Limits()) as camera:
        assert "does not open" in failure(camera)
    assert time.monotonic() - start < 6.0
