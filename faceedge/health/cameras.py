"""Faults, frames and grades of the cameras in, what is told about each camera out. Any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

RECENT, USUAL = 1 / 20, 1 / 500
"""Weight of one graded face in the two running means: twenty faces are now, five hundred are what is normal here."""
ENOUGH = 20
"""Grades before a mean is shown."""


@dataclass(slots=True)
class _Camera:
    ok: bool = True
    why: str = ""
    grades: int = 0
    recent: float = 0.0
    usual: float = 0.0


@dataclass(slots=True)
class CameraHealth:
    """on_change(camera, ok, why): called once when a camera fails, and once when it delivers again."""

    names: Sequence[str]
    on_change: Callable[[str, bool, str], None]
    _cameras: dict[str, _Camera] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._cameras = {name: _Camera() for name in self.names}

    def failed(self, name: str, why: str) -> None:
        """It could not be opened, or has ceased to deliver."""
        self._turn(name, False, why)

    def delivered(self, name: str) -> None:
        """A frame came."""
        if not self._cameras[name].ok:
            self._turn(name, True, "")

    def graded(self, name: str, quality: float) -> None:
        """A face of this camera was graded, 0..1."""
        camera = self._cameras[name]
        camera.grades += 1
        # A plain mean until there are enough for a running one.
        camera.recent += max(RECENT, 1 / camera.grades) * (quality - camera.recent)
        camera.usual += max(USUAL, 1 / camera.grades) * (quality - camera.usual)

    def as_json(self) -> list[dict[str, Any]]:
        """quality: mean of the last faces, usual: of many; a camera whose quality has sunk wants cleaning or light."""
        return [
            {"name": name, "ok": camera.ok, "why": camera.why,
             "quality": round(camera.recent, 2) if camera.grades >= ENOUGH else None,
             "usual": round(camera.usual, 2) if camera.grades >= ENOUGH else None}
            for name, camera in self._cameras.items()
        ]  # fmt: skip

    def _turn(self, name: str, ok: bool, why: str) -> None:
        camera = self._cameras[name]
        with self._lock:
            is_news = camera.ok != ok
            camera.ok, camera.why = ok, why
        if is_news:
            self.on_change(name, ok, why)
