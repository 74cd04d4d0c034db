"""The camera that can be hurt: what a viewer gets from it, and what is left of it afterwards."""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from faceedge.chaos.camera import HOST, FilmCamera
from faceedge.chaos.reel import Reel

REEL = Reel([b"picture %d" % number for number in range(40)], [(10, 19, True), (30, 39, False)], fps=200.0)


@pytest.fixture
def camera() -> Iterator[FilmCamera]:
    with FilmCamera(REEL) as made:
        yield made


def viewer(camera: FilmCamera) -> socket.socket:
    seen = socket.create_connection((HOST, camera.port), timeout=2.0)
    seen.sendall(b"GET /entry.mjpeg HTTP/1.0\r\n\r\n")
    return seen


def until(seen: socket.socket, wanted: bytes, within_s: float = 2.0) -> bytes:
    """Everything up to these bytes."""
    got, deadline = b"", time.monotonic() + within_s
    while wanted not in got:
        assert time.monotonic() < deadline, got[-200:]
        more = seen.recv(4096)
        assert more, "the camera hung up"
        got += more
    return got


def test_it_plays_its_pictures_in_order_and_at_their_time(camera: FilmCamera) -> None:
    with viewer(camera) as seen:
        got = until(seen, b"picture 1") + until(seen, b"picture 3")
    assert got.startswith(b"HTTP/1.0 200 OK")
    assert b"multipart/x-mixed-replace; boundary=picture" in got
    assert re.search(rb"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: (9|10)\r\n\r\npicture \d+\r\n", got)
    numbers = [int(number) for number in re.findall(rb"\npicture (\d+)\r", got)]
    turns = sum(after < before for before, after in itertools.pairwise(numbers))
    assert turns <= 1, "who is late skips pictures, and none comes twice"


def test_a_cut_camera_hangs_up_and_refuses_until_it_plays_again(camera: FilmCamera) -> None:
    with viewer(camera) as seen:
        until(seen, b"picture 1")
        camera.turn("cut")
        while seen.recv(4096):
            pass
    with pytest.raises(ConnectionRefusedError):
        viewer(camera)
    camera.turn("plays")
    with viewer(camera) as seen:
        until(seen, b"picture 1")


def test_a_half_open_camera_stays_and_sends_nothing(camera: FilmCamera) -> None:
    with viewer(camera) as seen:
        until(seen, b"picture 1")
        camera.turn("half-open")
        seen.settimeout(0.05)
        with pytest.raises(TimeoutError):
            until(seen, b"never sent")
        seen.settimeout(2.0)
        camera.turn("plays")
        until(seen, b"picture 1")


def test_a_frozen_camera_repeats_her_for_ever(camera: FilmCamera) -> None:
    camera.turn("frozen")
    with viewer(camera) as seen:
        got = until(
            seen, b"picture 14\r\n--picture\r\nContent-Type: image/jpeg\r\nContent-Length: 10\r\n\r\npicture 14"
        )
    assert b"picture 15" not in got


def test_it_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with FilmCamera(REEL) as camera, closing(viewer(camera)) as seen:
        until(seen, b"picture 1")
    assert set(threading.enumerate()) <= before
