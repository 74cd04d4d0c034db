"""An ESP32 as examples/micropython_door/door.py sees it: pins, timer, watchdog, clock, and the modules it may import.

The file's own code runs unchanged. Time moves when told (`advance`, or while the program sleeps), or is real and then
a thread plays the hardware (`powered`).
"""

from __future__ import annotations

import binascii
import builtins
import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.fakes.board_net import Socket, make_poll, network_modules

PROGRAM = Path(__file__).parents[2] / "examples" / "micropython_door" / "door.py"
RELAY, LED, EXIT, CONTACT = 26, 2, 32, 33
TICKS = 1 << 30  # ticks_ms counts modulo this on an ESP32
OUT, IN, PULL_UP = 3, 1, 2
HARDWARE_EVERY_S = 0.005
KEY_TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


class Reset(BaseException):
    """The board starts afresh: nothing of the program goes on, no `finally` of it reaches a pin."""


def settings(**changes: Any) -> SimpleNamespace:
    """A config.py."""
    values = {
        "WIFI_NAME": "w", "WIFI_PASSWORD": "p", "BROKER_HOST": "127.0.0.1", "BROKER_PORT": 1, "BROKER_USER": None,
        "BROKER_PASSWORD": None, "BROKER_CA": None, "DEVICE": "dev", "DOOR": "main", "CONTROLLER": "inner",
        "KEYS": (KEY_TEXT,), "RELAY_PIN": RELAY, "RELAY_ON": 1, "MAX_PULSE_MS": 5000, "LED_PIN": LED, "EXIT_PIN": EXIT,
        "EXIT_PULSE_MS": 3000, "CONTACT_PIN": None,
    }  # fmt: skip
    return SimpleNamespace(**values | changes)


class Board:
    """Pins are by number. switched: (ms, level) of every change of the relay's pin, as the door's lock feels it."""

    def __init__(
        self,
        config: SimpleNamespace | None = None,
        urandom: Callable[[int], bytes] = os.urandom,
        ticks_at_start: int = 0,
        patch: tuple[str, str] = ("", ""),
    ) -> None:
        """patch: spoils the program, (old, new)."""
        self.config = config or settings()
        self.console: list[str] = []
        self.boots = 0
        self.ms = 0.0
        self.switched: list[tuple[float, int]] = []
        self.wired = {EXIT: 1, CONTACT: 1}  # what hangs on the inputs: 1 is an open contact
        self.has_wifi = True
        self.on_wait: Callable[[], None] = lambda: None  # called whenever the program sleeps
        self._patch = patch
        self._is_real = False
        self._is_dead = False
        self._ticks_at_start = ticks_at_start
        self._levels: dict[int, int] = {}
        self._timer: tuple[float, Callable[[Any], None]] | None = None
        self._bites_at: float | None = None
        self._watchdog_ms = 0
        self._lock = threading.RLock()
        self._sockets: list[Socket] = []
        self._modules = self._make_modules(urandom)

    def load(self) -> SimpleNamespace:
        """The program, as if it had just been started; its names as attributes."""
        self._is_dead = False
        self._levels.clear()
        source = PROGRAM.read_text()
        assert self._patch[0] in source
        names: dict[str, Any] = {
            "__name__": "door",
            "__builtins__": {**vars(builtins), "__import__": self._import, "print": self._print},
        }
        exec(compile(source.replace(*self._patch) if self._patch[0] else source, str(PROGRAM), "exec"), names)
        return SimpleNamespace(**names)

    @property
    def is_open(self) -> bool:
        return self._levels.get(RELAY) == self.config.RELAY_ON

    @property
    def opened(self) -> int:
        return sum(level == self.config.RELAY_ON for _, level in self.switched)

    def advance(self, ms: float) -> None:
        """Time passes; the hardware does its part in each millisecond. Raises Reset when the watchdog bites."""
        end = self.ms + ms
        while self.ms < end:
            self.ms = min(end, self.ms + 1)
            self._hardware()
            self._check_alive()

    @contextmanager
    def powered(self) -> Iterator[Board]:
        """Runs the program in real time, again after every reset, until the power goes."""
        self._is_real, off = True, threading.Event()
        start = time.monotonic()

        def hardware() -> None:
            while not off.wait(HARDWARE_EVERY_S):
                self.ms = (time.monotonic() - start) * 1000
                self._hardware()
            self.reset()

        def program() -> None:
            while not off.is_set():
                try:
                    self.load().main()
                except Reset:
                    self._cut()
                    while self._sockets:
                        self._sockets.pop().close()

        threads = [threading.Thread(target=hardware), threading.Thread(target=program)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            off.set()
            for thread in threads:
                thread.join()

    def reset(self) -> None:
        """The button on the board, or the power."""
        self._cut()
        self._is_dead = True

    def _hardware(self) -> None:
        with self._lock:
            if self._timer is not None and self.ms >= self._timer[0]:
                callback, self._timer = self._timer[1], None
                callback(None)
            if self._bites_at is not None and self.ms >= self._bites_at:
                self.reset()

    def _cut(self) -> None:
        """After a reset all pins are inputs: the relay drops."""
        with self._lock:
            if self.is_open:
                self.switched.append((self.ms, 1 - self.config.RELAY_ON))
            self._levels.clear()
            self._timer = self._bites_at = None

    def _check_alive(self) -> None:
        if self._is_dead:
            raise Reset

    def _wait(self, ms: int) -> None:
        self._check_alive()
        self.on_wait()
        if self._is_real:
            time.sleep(min(ms, 20) / 1000)  # pauses are cut short: nothing here waits for anything
        else:
            self.advance(ms)
        self._check_alive()

    def _print(self, *words: object) -> None:
        self.console.append(" ".join(map(str, words)))

    def _import(self, name: str, *_: object) -> Any:
        if name == "config":
            return self.config
        if name not in self._modules:
            raise ImportError(f"no module named '{name}'")
        return self._modules[name]

    def _make_modules(self, urandom: Callable[[int], bytes]) -> dict[str, Any]:
        return {
            "binascii": binascii,
            "errno": errno,
            "hashlib": hashlib,
            "re": re,
            "os": SimpleNamespace(urandom=urandom),
            "sys": SimpleNamespace(print_exception=lambda error: self._print(repr(error))),
            "time": SimpleNamespace(
                ticks_ms=lambda: (self._ticks_at_start + int(self.ms)) % TICKS,
                ticks_diff=lambda a, b: (a - b + TICKS // 2) % TICKS - TICKS // 2,
                sleep_ms=self._wait,
                gmtime=time.gmtime,
            ),
            "machine": self._machine(),
            **network_modules(lambda: self.has_wifi, self._sockets),
            "select": make_poll(self._wait_for_network),
        }

    def _wait_for_network(self) -> None:
        """Before each poll, which then waits in real time."""
        self._wait(0 if self._is_real else 20)

    def _machine(self) -> SimpleNamespace:
        board = self

        class Pin:
            def __init__(self, number: int, mode: int, pull: int | None = None, value: int | None = None) -> None:
                board._check_alive()
                self._number = number
                if mode == OUT and value is not None:
                    self.value(value)

            def value(self, level: int | None = None) -> int | None:
                board._check_alive()
                with board._lock:
                    if level is None:
                        return board._levels.get(self._number, board.wired.get(self._number, 0))
                    if self._number == RELAY and level != board._levels.get(RELAY, 1 - board.config.RELAY_ON):
                        board.switched.append((board.ms, level))
                    board._levels[self._number] = level
                return None

        Pin.OUT, Pin.IN, Pin.PULL_UP = OUT, IN, PULL_UP  # type: ignore[attr-defined]

        class Timer:
            ONE_SHOT = 0

            def __init__(self, number: int) -> None:
                assert number == 0, "one timer is all the program needs"

            def init(self, *, mode: int, period: int, callback: Callable[[Any], None]) -> None:
                assert mode == Timer.ONE_SHOT
                board._timer = (board.ms + period, callback)

        class WDT:
            def __init__(self, *, timeout: int) -> None:
                board._watchdog_ms = timeout
                self.feed()

            def feed(self) -> None:
                board._check_alive()
                board._bites_at = board.ms + board._watchdog_ms

        def reset() -> None:
            board.reset()
            raise Reset

        return SimpleNamespace(Pin=Pin, Timer=Timer, WDT=WDT, reset=reset)
