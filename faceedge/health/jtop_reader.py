"""Keeps the process that asks jtop (`jtop_child.py`): starts it, takes its newest line, kills it when it is silent."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from faceedge.environment import for_others
from faceedge.health.telemetry import Telemetry

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "faceedge.health.jtop_child")
SILENT_S = 10.0
"""Five readings; a jtop that hangs burns a core until then."""
FRESH_S = 6.0
AGAIN_S, AGAIN_MOST_S = 10.0, 600.0
"""Before another try, twice as long after each that failed."""
CHUNK, MOST_CHUNKS = 1 << 16, 16
"""Of what a child that floods is read at once; the rest waits in the pipe, and so does the child."""
MOST = 1e6
"""No temperature, load or power is as much as this."""


@dataclass(slots=True)
class JtopReader:
    """Call `read` every second or two, from one thread; it never waits. clock: monotonic s."""

    command: Sequence[str] = COMMAND
    clock: Callable[[], float] = time.monotonic
    _child: subprocess.Popen[bytes] | None = None
    _buffer: bytes = b""
    _newest: Telemetry | None = None
    _heard_at: float = -math.inf
    _start_at: float = -math.inf
    _again_s: float = field(default=AGAIN_S)
    _is_down: bool = False

    def read(self) -> Telemetry | None:
        """What jtop told last; None where that is too long ago."""
        now = self.clock()
        if self._child is None and now >= self._start_at:
            self._start(now)
        if self._child is not None:
            self._listen(self._child, now)
        return self._newest if now - self._heard_at <= FRESH_S else None

    def stop(self) -> None:
        """Kills the child."""
        if (child := self._child) is not None:
            self._child = None
            child.kill()
            child.wait()
            _shut(child)

    def _start(self, now: float) -> None:
        self._buffer = b""
        self._heard_at, self._newest = now, None
        try:
            self._child = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=for_others(),
            )  # fmt: skip
        except OSError as error:
            self._failed(now, error.strerror or "cannot be started")
            return
        assert self._child.stdout is not None, "asked for"
        os.set_blocking(self._child.stdout.fileno(), False)

    def _listen(self, child: subprocess.Popen[bytes], now: float) -> None:
        assert child.stdout is not None, "asked for"
        has_ended = child.poll() is not None
        for line in self._lines(child.stdout.fileno()):
            if (told := _telemetry(line)) is not None:
                self._newest, self._heard_at, self._again_s = told, now, AGAIN_S
                self._is_down = False
        if has_ended:
            self._child = None
            _shut(child)
            self._failed(now, f"it has ended with {child.returncode}")
        elif now - self._heard_at > SILENT_S:
            child.kill()  # and is found dead at the next call, or at one after that

    def _lines(self, handle: int) -> list[bytes]:
        """Whole lines that have come. The last, half one is kept, and forgotten when it is no line of ours."""
        for _ in range(MOST_CHUNKS):
            try:
                part = os.read(handle, CHUNK)
            except BlockingIOError:
                break
            self._buffer = (self._buffer + part)[-2 * CHUNK :]
            if not part:
                break
        *lines, self._buffer = self._buffer.split(b"\n")
        return lines[-4:]

    def _failed(self, now: float, why: str) -> None:
        self._start_at = now + self._again_s
        self._again_s = min(AGAIN_MOST_S, 2 * self._again_s)
        if not self._is_down:
            log.warning("jtop: %s; temperature and power come from the kernel's own files until it answers", why)
        self._is_down = True


def _telemetry(line: bytes) -> Telemetry | None:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict):
        return None
    zone, strain = told.get("zone"), told.get("strain")
    return Telemetry(
        "jtop",
        _finite(told.get("temperature_c")),
        zone if isinstance(zone, str) else "",
        _finite(told.get("gpu_load")),
        _finite(told.get("power_w")),
        strain if isinstance(strain, str) else "",
    )


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < MOST else None  # false for what is no number


def _shut(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
