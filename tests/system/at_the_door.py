"""The daemon and a controller as processes of their own, over whatever broker they are given; for tests that break it.

The astronaut stands at the door all the time and every shot may decide anew, so grants flow until they cannot.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from faceedge.demo.photos import astronaut_path

FACEEDGE = [sys.executable, "-m", "faceedge"]
TTL_S = 1.5
CONFIG = """
device = "outage"
[broker]
port = {port}
keepalive_s = 4
[decide]
cooldown_s = 0
motion = false
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
    """A faceedge command that tells its events as JSON lines; each is kept with the second it came. around: what it is
    started by."""

    def __init__(self, command: list[str], environ: dict[str, str], around: Sequence[str] = ()) -> None:
        self.events: list[tuple[float, dict[str, Any]]] = []
        whole = [*around, *FACEEDGE, *command, "--json"]
        self.child = subprocess.Popen(whole, env=environ, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self.events.append((time.monotonic(), json.loads(line)))

    def at(self, is_wanted: Callable[[dict[str, Any]], bool], since: float = 0.0) -> list[float]:
        return [at for at, event in list(self.events) if at >= since and is_wanted(event)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Seconds until it had ended after the signal."""
        start = time.monotonic()
        self.child.send_signal(how)
        self.child.wait(10)
        self._reader.join(5)
        assert self.child.stdout is not None
        self.child.stdout.close()
        return time.monotonic() - start


def opened(event: dict[str, Any]) -> bool:
    return event["event"] == "opened"


def granted(event: dict[str, Any]) -> bool:
    return event.get("verdict") == "opened"


@dataclass(frozen=True)
class Porch:
    """A folder with a state directory, and a configuration for each side. environ: of every command."""

    folder: Path
    environ: dict[str, str]

    @classmethod
    def built(cls, folder: Path, clip: Path, daemon_port: int, controller_port: int) -> Porch:
        """One door with its key, the astronaut enrolled; each side on its own way to the broker."""
        porch = cls(folder, os.environ | {"FACEEDGE_STATE": str(folder / "state")})
        for name, port in (("daemon", daemon_port), ("controller", controller_port)):
            porch.config(name).write_text(CONFIG.format(port=port, clip=clip))
        shutil.copytree(_furnished(), folder / "state")
        return porch

    def config(self, side: str) -> Path:
        return self.folder / f"{side}.toml"

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command on the device, to its end."""
        whole = [*FACEEDGE, *command, "--config", str(self.config("daemon"))]
        return subprocess.run(whole, env=self.environ, check=False, capture_output=True, text=True, timeout=60)

    def daemon(self, around: Sequence[str] = ()) -> Process:
        return Process(["run", "--config", str(self.config("daemon"))], self.environ, around)

    def controller(self) -> Process:
        return Process(["door", "simulate", "--config", str(self.config("controller"))], self.environ)


@cache
def _furnished() -> Path:
    """A state directory with the door's key and the astronaut, made by the commands themselves, once a process."""
    folder = Path(tempfile.mkdtemp(prefix="faceedge-porch-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    porch = Porch(folder, os.environ | {"FACEEDGE_STATE": str(folder / "state")})
    porch.config("daemon").write_text(CONFIG.format(port=1883, clip=folder / "none.avi"))
    for command in (["door", "add", "main"], ["enroll", "Astronaut", str(astronaut_path())]):
        assert porch.call(*command).returncode == 0
    return folder / "state"


@contextmanager
def door(folder: Path, clip: Path, daemon_port: int, controller_port: int) -> Iterator[tuple[Process, Process]]:
    """Daemon and controller, until they are stopped."""
    porch = Porch.built(folder, clip, daemon_port, controller_port)
    controller, daemon = porch.controller(), porch.daemon()
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
