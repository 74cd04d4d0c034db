"""The real daemon and the real controller as processes over a real broker, which then fails.

The astronaut stands at the door all the time and every shot may decide anew, so grants flow until they cannot.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import pytest

from faceedge.config import cache_dir
from faceedge.demo.clip import cached
from faceedge.demo.photos import astronaut_path
from faceedge.demo.script import timeline
from faceedge.door.broker import LocalBroker, local_broker
from tests.fakes.swallowing_proxy import SwallowingProxy

pytestmark = [pytest.mark.system, pytest.mark.broker]

FACEEDGE = [sys.executable, "-m", "faceedge"]
TTL_S = 1.5
CONFIG = """
device = "outage"
[broker]
port = {port}
keepalive_s = 4
[decide]
cooldown_s = 0
[[camera]]
name = "entry"
uri = "file:{clip}"
loop = true
[[door]]
name = "main"
pulse_ms = 100
ttl_ms = 1500
"""


class Process:
    """A faceedge command that tells its events as JSON lines; each is kept with the second it came."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.child = subprocess.Popen([*FACEEDGE, *command, "--json"], env=environ, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.events.append((time.monotonic(), json.loads(line)))

    def at(self, is_wanted: Callable[[dict[str, Any]], bool], since: float = 0.0) -> list[float]:
        return [at for at, event in list(self.events) if at >= since and is_wanted(event)]

    def stop(self) -> float:
        """Seconds until it had ended after SIGTERM."""
        start = time.monotonic()
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(10)
        self._reader.join(5)
        assert self.child.stdout is not None
        self.child.stdout.close()
        return time.monotonic() - start


def opened(event: dict[str, Any]) -> bool:
    return event["event"] == "opened"


def granted(event: dict[str, Any]) -> bool:
    return event.get("verdict") == "opened"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seconds of the demo clip in which the astronaut stands at the door, to be looped."""
    clip, _ = cached(cache_dir())
    scene = next(scene for scene in timeline().scenes if scene.expect == "open")
    source, path = cv2.VideoCapture(str(clip)), tmp_path_factory.mktemp("clip") / "standing.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (480, 270))
    for seq in range(scene.start + 80):
        good, image = source.read()
        assert good
        if seq >= scene.start + 45:
            writer.write(image)
    writer.release()
    source.release()
    return path


@contextmanager
def door(folder: Path, clip: Path, daemon_port: int, controller_port: int) -> Iterator[tuple[Process, Process]]:
    """Daemon and controller, each on its own way to the broker, until they are stopped."""
    environ = os.environ | {"FACEEDGE_STATE": str(folder / "state")}
    paths = {}
    for name, port in (("daemon", daemon_port), ("controller", controller_port)):
        paths[name] = folder / f"{name}.toml"
        paths[name].write_text(CONFIG.format(port=port, clip=clip))
    for command in (["door", "add", "main"], ["enroll", "Astronaut", str(astronaut_path())]):
        subprocess.run(
            [*FACEEDGE, *command, "--config", str(paths["daemon"])], env=environ, check=True, capture_output=True
        )
    controller = Process(["door", "simulate", "--config", str(paths["controller"])], environ)
    daemon = Process(["run", "--config", str(paths["daemon"])], environ)
    try:
        yield daemon, controller
    finally:
        seconds = [daemon.stop(), controller.stop()]
    assert max(seconds) < 2.5, seconds
    assert (daemon.child.returncode, controller.child.returncode) == (0, 0)


def wait_for(fact: Callable[[], object], limit_s: float) -> float:
    start = time.monotonic()
    while not fact():
        assert time.monotonic() - start < limit_s, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - start


def assert_no_late_open(daemon: Process, controller: Process) -> None:
    """Every pulse of the door follows a decision of the daemon by less than the grant's time to live."""
    decided = sorted(datetime.fromisoformat(event["time"]).timestamp() for _, event in daemon.events if granted(event))
    pulses = [datetime.fromisoformat(event["time"]).timestamp() for _, event in controller.events if opened(event)]
    assert pulses
    for pulse in pulses:
        assert any(-TTL_S <= told - pulse <= TTL_S for told in decided), "a pulse without a decision of its time"


def test_a_killed_broker_opens_nothing_late_and_decisions_resume_within_five_seconds(
    tmp_path: Path, standing: Path
) -> None:
    with local_broker() as broker, door(tmp_path, standing, broker.port, broker.port) as (daemon, controller):
        wait_for(lambda: controller.at(opened), 30)
        down = kill(broker)
        wait_for(lambda: len(daemon.at(lambda event: event.get("verdict") == "lost", down)) >= 3, 10)
        dark = controller.at(opened, down + 0.2)
        assert dark == []
        broker.start()
        wait_for(lambda: daemon.at(granted, down + 0.5), 5)
    assert_no_late_open(daemon, controller)


def kill(broker: LocalBroker) -> float:
    broker.kill()
    return time.monotonic()


@pytest.mark.parametrize("fault", ["swallow", "hold"])
def test_a_half_open_link_of_ten_seconds_opens_nothing_late(tmp_path: Path, standing: Path, fault: str) -> None:
    """The daemon's link stays connected while bytes vanish, or arrive ten seconds later all at once."""
    with local_broker() as broker, SwallowingProxy(broker.host, broker.port) as proxy:
        with door(tmp_path, standing, proxy.port, broker.port) as (daemon, controller):
            wait_for(lambda: controller.at(opened), 30)
            getattr(proxy, fault)()
            began = time.monotonic()
            while time.monotonic() - began < 10:
                time.sleep(0.1)
            released = time.monotonic()
            assert controller.at(opened, began + 0.3) == []
            proxy.release()
            wait_for(lambda: daemon.at(granted, released), 5)
        assert proxy.swallowed > 0
        assert_no_late_open(daemon, controller)
