"""Keeps the effort within what memory and cooling allow: reads, asks the governor, swaps the effort, tells each step.

Stages read `effort` whenever they like. The main thread ticks; a stage whose engine got no memory says so itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from faceedge.effort import Effort
from faceedge.errors import NoMemory
from faceedge.health.governor import Governor, Step
from faceedge.health.pressure import Pressure
from faceedge.health.telemetry import Telemetry

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")

EVERY_S = 0.25
LARGE_MEMORY = frozenset({"batch", "batch_1", "detector_75", "detector_50"})
"""Steps after which networks need less memory than they have taken."""


class Keeper:
    """pressure, telemetry: the newest readings. on_step: told once of every step. give_back: asks for memory that the
    new effort does not need; it must not wait. clock: monotonic s.
    """

    def __init__(
        self,
        most: int,
        pressure: Callable[[], Pressure | None],
        telemetry: Callable[[], Telemetry | None],
        on_step: Callable[[Step], None],
        give_back: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._governor = Governor(most)
        self._effort = self._governor.effort
        self._pressure = pressure
        self._telemetry = telemetry
        self._on_step = on_step
        self._give_back = give_back
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._newest: Pressure | None = None
        self.counters: Counter[str] = Counter()
        """Steps since the start: `less_batch`, `more_batch`, `less_extras` and so on."""

    def effort(self) -> Effort:
        """What may be done now; a frozen whole, from any thread."""
        return self._effort

    def tick(self) -> None:
        """Call it every 50 ms or so; it reads every 250 ms."""
        now = self._clock()
        if now - self._read_at < EVERY_S:
            return
        self._read_at = now
        pressure = self._newest = self._pressure()
        heat = self._telemetry()
        share, source = (pressure.share, pressure.source) if pressure is not None else (None, "")
        self._ask(lambda: self._governor.read(share, source, heat.strain if heat is not None else "", now))

    def out_of_memory(self) -> None:
        """An engine could not get what it asked for. Any thread."""
        self._ask(lambda: self._governor.out_of_memory(self._clock()))

    def minding(self, stage: Callable[[Sequence[T]], list[R]]) -> Callable[[Sequence[T]], list[R]]:
        """The stage, which from now on says when an engine of it gets no memory, and fails as before."""

        def mind(batch: Sequence[T]) -> list[R]:
            try:
                return stage(batch)
            except NoMemory:
                self.out_of_memory()
                raise

        return mind

    def as_json(self) -> dict[str, Any]:
        """What `…/state` shows of it."""
        effort, pressure, heat = self._effort, self._newest, self._telemetry() or Telemetry("sysfs")
        return {
            "pressure": round(pressure.share, 2) if pressure is not None else None,
            "source": pressure.source if pressure is not None else "",
            **shown(effort),
            "shed": self._governor.rungs,
            "temperature_c": _rounded(heat.temperature_c),
            "zone": heat.zone,
            "power_w": _rounded(heat.power_w),
            "strain": heat.strain,
        }

    def readings(self) -> dict[str, float | None]:
        """For the metrics."""
        heat = self._telemetry()
        return {
            "pressure_ratio": self._newest.share if self._newest is not None else None,
            "governor_step": len(self._governor.rungs),
            "governor_batch": self._effort.batch,
            "temperature_celsius": heat.temperature_c if heat is not None else None,
            "power_watts": heat.power_w if heat is not None else None,
        }

    def _ask(self, ask: Callable[[], Step | None]) -> None:
        with self._lock:
            step = ask()
            if step is None:
                return
            self._effort = step.effort
            self.counters[f"{'less' if step.less else 'more'}_{step.name}"] += 1
        log.log(
            logging.WARNING if step.less else logging.INFO, "%s work (%s) because of %s: %s",
            "less" if step.less else "more", step.name, step.why, _words(step.effort),
        )  # fmt: skip
        if step.less and step.name in LARGE_MEMORY:
            self._give_back()
        self._on_step(step)


def told(step: Step) -> dict[str, Any]:
    """A step as in journal and events."""
    return {"step": step.name, "less": step.less, "why": step.why, **shown(step.effort)}


def shown(effort: Effort) -> dict[str, Any]:
    """As in state, journal and events."""
    return {
        "batch": effort.batch,
        "extras": effort.extras,
        "detector_scale": effort.detector_scale,
        "frame_gap_ms": round(1000 * effort.frame_gap_s),
    }


def _words(effort: Effort) -> str:
    return ", ".join(f"{name} {value}" for name, value in shown(effort).items())


def _rounded(value: float | None) -> float | None:
    return round(value, 1) if value is not None else None
