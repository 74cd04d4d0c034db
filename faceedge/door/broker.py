"""A broker of one's own on loopback, for the demo and for tests: mosquitto, else the embedded amqtt (3.1.1 only).

`python -m faceedge.door.broker PORT` runs the embedded one; it ends with its standard input.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

from faceedge.errors import LinkError, MissingExtra

HOST = "127.0.0.1"
PORTS = range(20000, 32000)
"""Below the ports that Linux gives to outgoing connections: a client that keeps knocking at a dead broker could
otherwise be given that very port, and talk to itself."""
START_S = 10.0
ATTEMPTS = 5
Kind = Literal["mosquitto", "amqtt"]


class LocalBroker:
    """A broker process. It can be stopped, killed and started again on its port."""

    def __init__(self, kind: Kind, port: int, folder: Path, extra: str = "") -> None:
        """extra: more lines for mosquitto's configuration."""
        self.kind = kind
        self.host = HOST
        self.port = port
        self._folder = folder
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it accepts connections. Raises LinkError when it does not."""
        with open(self._folder / "broker.log", "ab") as output:
            self._process = self._spawn(output)
        deadline = time.monotonic() + START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if _answers(self.port):
                return
            time.sleep(0.02)
        self.kill()
        raise LinkError(f"{self.kind} does not start on port {self.port}: {self._last_words()}")

    def stop(self) -> None:
        """Ends it cleanly; below 2 s, then by force."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(2.0)
        self.kill()

    def kill(self) -> None:
        """Ends it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        if self.kind == "amqtt":
            command = [sys.executable, "-m", "faceedge.door.broker", str(self.port)]
        else:
            command = [str(mosquitto()), "-c", str(self._write_settings())]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)

    def _write_settings(self) -> Path:
        path = self._folder / "mosquitto.conf"
        lines = [f"listener {self.port} {HOST}", "allow_anonymous true", "persistence false", "set_tcp_nodelay true"]
        path.write_text(
            "\n".join([*lines, "log_dest stderr", "log_type error", "log_type warning", self._extra, ""]),
            encoding="ascii",
        )
        return path

    def _last_words(self) -> str:
        lines = (self._folder / "broker.log").read_text(errors="replace").strip().splitlines()
        return "; ".join(lines[-2:]) or "it says nothing"


@contextmanager
def local_broker(port: int = 0, kind: Kind | None = None, extra: str = "") -> Iterator[LocalBroker]:
    """A running broker on loopback; port 0 takes a free one, kind None the best there is.

    Raises MissingExtra when there is none to run, LinkError when it does not start.
    """
    chosen = kind or _best_kind()
    with tempfile.TemporaryDirectory(prefix="faceedge-broker-") as folder:
        broker = _start(chosen, port, Path(folder), extra)
        try:
            yield broker
        finally:
            broker.stop()


def mosquitto() -> Path | None:
    """The mosquitto program, None when there is none; Debian keeps it off the PATH of ordinary users."""
    found = shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )
    return Path(found) if found else None


def _best_kind() -> Kind:
    if mosquitto() is not None:
        return "mosquitto"
    if importlib.util.find_spec("amqtt") is not None:
        return "amqtt"
    raise MissingExtra("no MQTT broker on this machine: install mosquitto, or faceedge with its extra: faceedge[demo]")


def _start(kind: Kind, port: int, folder: Path, extra: str) -> LocalBroker:
    """A free port can be taken by someone else before the broker has it; then another is tried."""
    for attempt in range(ATTEMPTS):
        broker = LocalBroker(kind, port or _free_port(), folder, extra)
        try:
            broker.start()
        except LinkError:
            if port or attempt == ATTEMPTS - 1:
                raise
        else:
            return broker
    raise AssertionError("the last attempt returns or raises")


def _free_port() -> int:
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise LinkError("no free port between 20000 and 32000 on this machine")


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection((HOST, port), timeout=0.2):
        return True
    return False


async def _serve(port: int) -> None:
    """Runs amqtt until standard input ends, which it does when the parent is gone, however it went."""
    from amqtt.broker import Broker

    settings: dict[str, Any] = {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Broker(settings)
    await broker.start()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_serve(int(sys.argv[1])))
