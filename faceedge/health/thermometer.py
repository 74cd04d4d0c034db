"""The thread that reads temperature and power every two seconds: a sensor's bus may hold it up, and nothing else."""

from __future__ import annotations

import importlib.util
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from faceedge.errors import one_line
from faceedge.health.jtop_reader import JtopReader
from faceedge.health.machine import ROOT
from faceedge.health.telemetry import SysfsReader, Telemetry

log = logging.getLogger(__name__)

How = Literal["auto", "jtop", "sysfs", "off"]
EVERY_S = 2.0
FRESH_S = 10.0
STOP_WITHIN_S = 0.5
MOST_WORDS = 100
JTOP_SOCKET = "run/jtop.sock"


class Thermometer:
    """Start it, read `newest` from any thread, stop it. how: as in the configuration. clock: monotonic s."""

    def __init__(
        self, how: How, root: Path = ROOT, jtop: JtopReader | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_on = how != "off"
        self._sysfs = SysfsReader(root)
        self._jtop = (jtop or JtopReader()) if how == "jtop" or (how == "auto" and _has_jtop(root)) else None
        self._clock = clock
        self._stop = threading.Event()
        self._told: tuple[float, Telemetry] | None = None
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    @property
    def newest(self) -> Telemetry | None:
        """None when switched off, before the first reading, and while a sensor holds the thread up."""
        told = self._told
        return told[1] if told is not None and self._clock() - told[0] <= FRESH_S else None

    def start(self) -> None:
        """Starts the thread, unless switched off."""
        if self._is_on:
            self._thread.start()

    def look(self) -> None:
        """One reading. Alarms are the kernel's in any case: jtop does not tell what slows the processors down."""
        told = self._sysfs.read()
        if self._jtop is not None and (better := self._jtop.read()) is not None:
            told = replace(better, strain=told.strain or better.strain)
        # Words of drivers and of jtop, which end up in the log, in events and in a terminal.
        told = replace(told, zone=one_line(told.zone, MOST_WORDS), strain=one_line(told.strain, MOST_WORDS))
        self._told = self._clock(), told

    def stop(self) -> None:
        """Ends the thread; one that a sensor holds up is left behind."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        has_failed = False
        while not self._stop.is_set():
            try:
                self.look()
            except Exception as error:  # descriptors may run out for a moment; heat must be seen afterwards, too
                if not has_failed:
                    log.error("temperature and power cannot be read: %s (said once)", error, exc_info=error)
                has_failed = True
            self._stop.wait(EVERY_S)
        if self._jtop is not None:
            self._jtop.stop()


def _has_jtop(root: Path) -> bool:
    """A Jetson with the service running and the library beside us; looked for, not imported."""
    return (root / JTOP_SOCKET).exists() and importlib.util.find_spec("jtop") is not None
