"""What every source of frames can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from faceedge.types import Image


@dataclass(frozen=True, slots=True)
class Wish:
    """What a live camera is asked for, where it can be asked; a picture of another size is then a fault.

    width and height: both or neither, px. decode: of a network camera; `auto` is `hardware` where there is a decoder.
    """

    width: int | None = None
    height: int | None = None
    fps: int | None = None
    decode: Literal["auto", "software", "hardware"] = "auto"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """image: uint8 (h, w, 3) BGR. received: monotonic seconds at which it came from the camera."""

    image: Image
    received: float


class Camera(Protocol):
    """One opened source."""

    @property
    def fps(self) -> float:
        """Pictures a second; 0 for live sources, which set their own pace."""
        ...

    def read(self) -> Image | None:
        """The next picture, uint8 (h, w, 3) BGR; None at the end. Raises CameraError when a live one fails."""
        ...

    def close(self) -> None:
        """Frees the source; a second call does nothing."""
        ...


class LiveCamera(Camera, Protocol):
    """A camera that can be waited for in small steps, and that knows when its pictures came."""

    def take(self, wait_s: float) -> Picture | None:
        """The next picture from now on; None when there was none in this time. Raises CameraError when it fails."""
        ...
