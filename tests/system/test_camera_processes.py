"""Processes of cameras: killed they are replaced, orphaned they end, and hundreds of them leave nothing behind."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge import house as houses
from faceedge.cameras import open_camera, parse
from faceedge.cameras.child import ChildCamera, Limits
from faceedge.config import Config
from faceedge.daemon import Daemon
from faceedge.errors import CameraError
from tests.cameras.test_child import FAKES, children, is_gone, until
from tests.fakes.mjpeg import Stream, mjpeg_server
from tests.test_daemon_capture import FakeNetworks

pytestmark = pytest.mark.system

QUICK = Limits(load_s=0.15, open_s=0.15, first_s=0.15, read_s=0.15, grace_s=0.02)
MANNERS = ("exits", "dies", "noise", "too big", "deaf", "never loads", "never shows", "stops", "floods", "refuses")
SECRETS = ("admin", "hunter2", "secrettoken")


@pytest.fixture
def stream() -> Iterator[Stream]:
    with mjpeg_server() as stream:
        stream.credentials = "admin:hunter2"
        yield stream


def held() -> dict[str, int]:
    memory = [line for line in Path("/proc/self/smaps_rollup").read_text().splitlines() if line.startswith("Rss")]
    maps = Path("/proc/self/maps").read_text()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "children": len(children()),
        "pictures": maps.count("faceedge-picture"),
        "rss_kb": int(memory[0].split()[1]),
    }


def workers() -> list[int]:
    return [int(pid) for pid in children() if b"cameras.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def cycle(manner: str) -> None:
    command = [sys.executable, "-I", "-S", str(FAKES / "bad_camera.py"), manner]
    camera = ChildCamera(parse("0"), "0", None, command, QUICK)
    try:
        for _ in range(4):
            camera.read()
    except CameraError:
        pass
    finally:
        camera.close()


@pytest.mark.parametrize("cycles", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_cameras_that_hang_die_and_lie_leave_nothing_behind(cycles: int) -> None:
    for manner in MANNERS:
        cycle(manner)
    before = held()
    for number in range(cycles):
        cycle(MANNERS[number % len(MANNERS)])
    after = held()
    assert after["rss_kb"] - before["rss_kb"] < 4096
    assert {**after, "rss_kb": 0} == {**before, "rss_kb": 0}


PARENT = """
import sys, time
from faceedge.cameras import open_camera
cameras = [open_camera(uri) for uri in sys.stdin.read().split()]
cameras[0].read()
print("reading", flush=True)
time.sleep(60)
"""


def test_no_camera_outlives_a_daemon_that_is_killed_not_even_one_caught_in_its_library(stream: Stream) -> None:
    with mjpeg_server() as mute:
        mute.is_mute = True
        with subprocess.Popen(
            [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdin is not None
            assert parent.stdout is not None
            parent.stdin.write(f"{stream.uri('admin:hunter2@')} {mute.uri()}")
            parent.stdin.close()
            assert parent.stdout.readline() == "reading\n"
            pids = [
                int(pid)
                for task in Path(f"/proc/{parent.pid}/task").iterdir()
                for pid in (task / "children").read_text().split()
            ]
            assert len(pids) == 2
            parent.send_signal(signal.SIGKILL)
            start = time.monotonic()
            assert until(lambda: all(is_gone(pid) for pid in pids))
            assert time.monotonic() - start < 1.0


def test_a_killed_process_is_replaced_and_a_stop_leaves_none(
    stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(houses, "open_vision", lambda *_, **__: FakeNetworks())
    caplog.set_level(logging.DEBUG)
    told: list[dict[str, Any]] = []
    stream.width = stream.height = 112
    uri = stream.uri("admin:hunter2@")
    config = Config.model_validate({"camera": [{"name": "entry", "uri": uri}]})
    daemon = Daemon(config, tmp_path, tmp_path, told.append)
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        assert until(lambda: bool(workers()) and stream.shown > 10)
        kinds = lambda: [event["event"] for event in told if event.get("about") == "away"]  # noqa: E731
        os.kill(workers()[0], signal.SIGKILL)
        killed = time.monotonic()
        assert until(lambda: kinds() == ["camera_fault", "camera"])
        assert time.monotonic() - killed < 5.0
    finally:
        start = time.monotonic()
        daemon.stop()
        thread.join()
    assert time.monotonic() - start < 2.0
    assert not workers()
    said = caplog.text + str(told)
    assert not any(secret in said for secret in SECRETS)


def test_a_stop_while_a_camera_does_not_open_is_obeyed_within_a_second() -> None:
    with mjpeg_server() as mute:
        mute.is_mute = True
        camera = open_camera(mute.uri())
        time.sleep(0.5)
        start = time.monotonic()
        camera.close()
        assert time.monotonic() - start < 1.0
    assert not workers()
