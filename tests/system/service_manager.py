"""Stands in for systemd: starts a command, hears its notifications, ends it when it falls silent, starts it again.

As the unit does with Type=notify, WatchdogSec=4, Restart=on-failure, RestartSec=0.5.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

WATCHDOG_S, RESTART_S = 4.0, 0.5


@dataclass
class Life:
    """One process: when it was started, when it was ready, what it told, when and how it ended."""

    pid: int
    started: float
    ready: float | None = None
    ended: float | None = None
    code: int | None = None
    bitten: float | None = None
    """When the watchdog ended it."""
    heard: list[tuple[float, str]] = field(default_factory=list)
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def status(self) -> str:
        said = [line for _, line in self.heard if line.startswith("STATUS=")]
        return said[-1].removeprefix("STATUS=") if said else ""


class ServiceManager:
    """Use it in a `with` block."""

    def __init__(self, folder: Path, command: list[str], environ: dict[str, str]) -> None:
        self._path = folder / "notify"
        self._command = command
        self._environ = environ | {
            "NOTIFY_SOCKET": str(self._path), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
        }  # fmt: skip
        self.lives: list[Life] = []
        self._log = open(folder / "daemon.log", "ab")  # noqa: SIM115 - closed at the end
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> ServiceManager:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._socket.settimeout(0.05)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(20)
        self._socket.close()
        self._log.close()

    @property
    def life(self) -> Life:
        """The newest."""
        return self.lives[-1]

    def send(self, number: signal.Signals) -> None:
        os.kill(self.life.pid, number)

    def told(self, since: float = 0.0) -> list[tuple[float, dict[str, Any]]]:
        return [(at, event) for life in list(self.lives) for at, event in list(life.events) if at >= since]

    def _run(self) -> None:
        while not self._stopping.is_set():
            code = self._live()
            if code == 0:
                return
            self._stopping.wait(RESTART_S)

    def _live(self) -> int:
        child = subprocess.Popen(
            self._command, env=self._environ, stdout=subprocess.PIPE, stderr=self._log, text=True
        )  # fmt: skip
        life = Life(child.pid, time.monotonic())
        self.lives.append(life)
        reader = threading.Thread(target=self._read, args=(child, life))
        reader.start()
        patience_s, fed = WATCHDOG_S, time.monotonic()
        while child.poll() is None:
            for line in self._hear():
                now = time.monotonic()
                life.heard.append((now, line))
                name, _, value = line.partition("=")
                if name == "WATCHDOG":
                    fed = now
                elif name == "WATCHDOG_USEC":
                    patience_s = int(value) / 1e6
                elif name == "READY":
                    fed = life.ready = now
            if life.ready is not None and life.bitten is None and time.monotonic() - fed > patience_s:
                life.bitten = time.monotonic()
                child.send_signal(signal.SIGABRT)
            if self._stopping.is_set():
                child.terminate()
                self._wait(child)
        life.ended, life.code = time.monotonic(), child.returncode
        reader.join(5)
        assert child.stdout is not None
        child.stdout.close()
        return life.code

    @staticmethod
    def _wait(child: subprocess.Popen[str]) -> None:
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _hear(self) -> list[str]:
        try:
            return self._socket.recv(4096).decode("ascii").splitlines()
        except TimeoutError:
            return []

    @staticmethod
    def _read(child: subprocess.Popen[str], life: Life) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            life.events.append((time.monotonic(), json.loads(line)))
