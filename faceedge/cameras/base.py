"""What every source of frames can do."""

from __future__ import annotations

from typing import Protocol

from faceedge.types import Image


class Camera(Protocol):
    """One opened source. `fps` is 0 for live sources, which set their own pace."""

    fps: float

    def read(self) -> Image | None:
        """The next picture, uint8 (h, w, 3) BGR; None at the end. Raises CameraError when a live one fails."""
        ...

    def close(self) -> None:
        """Frees the source; a second call does nothing."""
        ...
