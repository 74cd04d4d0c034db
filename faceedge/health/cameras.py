"""Faults, pictures and grades of the cameras in, what is told about each camera out. Any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from faceedge.cameras.watch import Fault, Kind
from faceedge.door.events import About
from faceedge.health.calm import Calm
from faceedge.health.trend import Trend

FALLEN = "quality has fallen to {now:.2f}, usually {usual:.2f}: check the light, and clean the lens"


@dataclass(slots=True)
class _Camera:
    """away: why it does not deliver, None when it does. fault: of its pictures, now. calm: which kind of it was told;
    told: in which words."""

    away: str | None = None
    fault: Fault | None = None
    calm: Calm[Kind | None] = field(default_factory=lambda: Calm[Kind | None](None))
    told: str = ""
    trend: Trend = field(default_factory=Trend)


@dataclass(slots=True)
class CameraHealth:
    """on_change(camera, ok, why, about): called once when something is wrong with a camera, and once when it is well.

    What is wrong with the pictures of a camera shows in `as_json` and shuts it at once, always; it is told as `Calm`
    has it.
    """

    names: Sequence[str]
    on_change: Callable[[str, bool, str, About], None]
    clock: Callable[[], float] = time.monotonic
    _cameras: dict[str, _Camera] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._cameras = {name: _Camera() for name in self.names}

    def failed(self, name: str, why: str) -> None:
        """It could not be opened, or has ceased to deliver."""
        self._turn(name, why)

    def delivered(self, name: str) -> None:
        """A frame came."""
        if self._cameras[name].away is not None:
            self._turn(name, None)

    def pictured(self, name: str, fault: Fault | None) -> None:
        """A frame came, and this is wrong with it."""
        camera = self._cameras[name]
        with self._lock:
            camera.fault = fault
            before, kind = camera.calm.told, fault.kind if fault is not None else None
            if not camera.calm.is_news(kind, self.clock()):
                return
            camera.told = why = fault.why if fault is not None else ""
        if before is not None:
            self.on_change(name, True, "", before)
        if kind is not None:
            self.on_change(name, False, why, kind)

    def graded(self, name: str, quality: float, track: int) -> None:
        """A face of this camera was graded, 0..1."""
        trend = self._cameras[name].trend
        with self._lock:
            if not trend.add(quality, track):
                return
            why = FALLEN.format(now=trend.quality, usual=trend.usual) if trend.is_low else ""
        self.on_change(name, not why, why, "quality")

    def why_shut(self, name: str) -> str:
        """Why no door may open by this camera now; empty when one may."""
        camera = self._cameras.get(name)
        fault = camera.fault if camera is not None else None
        return fault.why if fault is not None and fault.shuts else ""

    def as_json(self) -> list[dict[str, Any]]:
        """quality, usual: medians of the last faces and of those before; one that has sunk wants cleaning or light."""
        with self._lock:
            return [_shown(name, camera) for name, camera in self._cameras.items()]

    def _turn(self, name: str, away: str | None) -> None:
        camera = self._cameras[name]
        with self._lock:
            is_news = (camera.away is None) != (away is None)
            camera.away = away
        if is_news:
            self.on_change(name, away is None, away or "", "away")


def _shown(name: str, camera: _Camera) -> dict[str, Any]:
    fault, trend = camera.fault, camera.trend
    return {
        "name": name,
        "ok": camera.away is None and camera.calm.told is None,
        "why": camera.away or (fault.why if fault is not None else camera.told),
        "fault": "away" if camera.away is not None else fault.kind if fault is not None else None,
        "shut": fault is not None and fault.shuts,
        "quality": _rounded(trend.quality),
        "usual": _rounded(trend.usual),
        "low": trend.is_low,
    }


def _rounded(grade: float | None) -> float | None:
    return round(grade, 2) if grade is not None else None
