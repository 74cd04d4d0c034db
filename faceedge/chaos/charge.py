"""The daemon in its keeper's care: started, listened to, started again; what it says goes to the observer."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from faceedge.chaos.keeper import WATCHDOG_S, Ending, Keeper
from faceedge.chaos.observer import Observer
from faceedge.chaos.orders import Order, send
from faceedge.demo import told
from faceedge.demo.children import STOP_S, Child, faceedge

TICK_S = 0.02
LOUD = ("WARNING", "ERROR", "CRITICAL")
LEGIBLE = {"FACEEDGE__LOG__FORMAT": "text"}
"""What is read here, whatever the configuration says."""


class Charge:
    """Use it in a `with` block; it begins at once. around: what each daemon is started by, such as a cgroup."""

    def __init__(self, folder: Path, config: Path, observer: Observer) -> None:
        self.around: Sequence[str] = ()
        self._folder = folder
        self._config = config
        self._observer = observer
        self._keeper = Keeper(self._spawn, time.monotonic, self._ended)
        self._heard: queue.Queue[tuple[str, str]] = queue.Queue()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._child: Child | None = None
        self._log_at = 0
        self._sockets = TemporaryDirectory(
            prefix="faceedge-"
        )  # a path of a socket holds 107 bytes, --keep may be longer
        self._orders, self._notified = (str(Path(self._sockets.name) / name) for name in ("orders", "notify"))
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.setblocking(False)
        works = {"chaos-keep": self._keep, "chaos-listen": self._listen}
        self._threads = [threading.Thread(target=work, name=name, daemon=True) for name, work in works.items()]

    @property
    def log(self) -> Path:
        """Of the daemon that was started last."""
        return self._folder / f"{self._name}.log"

    @property
    def pid(self) -> int | None:
        """Of the daemon that runs."""
        with self._lock:
            return self._child.process.pid if self._child is not None and self._child.is_running else None

    def order(self, order: Order) -> None:
        """Tells the daemon to fail. Raises FaceedgeError when there is none."""
        send(Path(self._orders), order)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """A signal to the daemon alone; SIGKILL is what the kernel does when memory is short."""
        with self._lock:
            if (pid := self.pid) is not None:
                os.kill(pid, number)

    def stop(self) -> None:
        """A clean end, and no other is started until `start`."""
        with self._lock:
            self._keeper.hold()
            self._end_child()
            self._hear_watchdog()  # its last words are not those of the next one
            self._keeper.tick()  # takes notice of the end, so that it is not taken for a sign later

    def start(self) -> None:
        """The next one."""
        with self._lock:
            self._keeper.begin()
            self._keeper.tick()

    def __enter__(self) -> Charge:
        self._notify.bind(self._notified)
        self._keeper.begin()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_S)
        self._notify.close()
        self._sockets.cleanup()

    @property
    def _name(self) -> str:
        return f"daemon-{self._keeper.starts}"

    def _spawn(self) -> Child:
        orders = ["--inside", self._orders, "--config", str(self._config)]
        more = {"NOTIFY_SOCKET": self._notified, "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6)), **LEGIBLE}
        self._log_at = 0
        self._child = Child(self._name, [*self.around, *faceedge("chaos", *orders)], self._folder, self._heard, more)
        self._observer.note("start", self._name, "started")
        return self._child

    def _ended(self, ending: Ending) -> None:
        self._read_log()
        if self._child is not None:
            self._child.finish()
        self._observer.note("exit", ending.why, f"{ending.why}: exit code {ending.code}")

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.signal_group(signal.SIGTERM)
            self._child.wait(time.monotonic() + 2 * STOP_S)
            self._child.signal_group(signal.SIGKILL)
            self._child.process.wait()
            self._child.finish()

    def _keep(self) -> None:
        while not self._stop.wait(TICK_S):
            with self._lock:
                self._hear_watchdog()
                self._keeper.tick()
                self._read_log()

    def _hear_watchdog(self) -> None:
        with suppress(BlockingIOError):
            while True:
                message = self._notify.recv(4096).decode("ascii", "replace")
                self._keeper.heard(message)
                if "READY=1" in message:
                    self._observer.note("start", "ready", message.replace("\n", " "))

    def _listen(self) -> None:
        while not self._stop.is_set():
            with suppress(queue.Empty):
                _, line = self._heard.get(timeout=0.1)
                if (event := told.parse(line)) is not None:
                    self._observer.event(event)

    def _read_log(self) -> None:
        """What the daemon has logged since, at WARNING or above, and its last word."""
        if self._child is None:
            return
        with open(self._child.log, "rb") as log:
            log.seek(self._log_at)
            whole = log.read().rpartition(b"\n")[0]
        self._log_at += len(whole) + 1 if whole else 0
        for line in whole.decode("utf-8", "replace").splitlines():
            level = line.partition(" ")[0]
            if level in LOUD or level == "faceedge:":
                self._observer.note("log", level, line)
