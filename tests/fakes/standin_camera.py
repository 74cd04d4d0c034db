"""The real process of a camera, around hardware that is not there. Run as a program; the argument is a list of words.

    slow to open, mute, odd size, wrong, fails    how the hardware behaves

A device is a stand-in for OpenCV's reader, a CSI sensor one for GStreamer's; both show grey pictures whose level rises.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceedge.cameras import gst, worker
from faceedge.errors import CameraError

MANNER = sys.argv[1] if len(sys.argv) > 1 else ""
GAP_S = 0.0 if MANNER == "fast" else 0.01


class Hardware:
    """What both have in common."""

    def __init__(self, width: int, height: int) -> None:
        self._size = height, width
        self._level = 0
        if MANNER == "slow to open":
            time.sleep(60)

    def shoot(self) -> None:
        time.sleep(GAP_S)
        self._level += 1
        if MANNER == "mute" and self._level > 2:
            time.sleep(60)

    def into(self, memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
        level = self._level % 250
        if memory.shape[:2] != self._size:
            return np.full((*self._size, 3), level, np.uint8)
        # Row by row: whoever looks while this lasts sees two levels.
        for row in memory:
            row[:] = level
        return memory


class Reader:
    """cv2.VideoCapture, of a device that takes sizes."""

    def __init__(self, name: str, backend: int) -> None:
        assert name.startswith("/dev/video"), name
        assert backend == cv2.CAP_V4L2
        self._asked: dict[int, float] = {cv2.CAP_PROP_FRAME_WIDTH: 64, cv2.CAP_PROP_FRAME_HEIGHT: 48}
        self._hardware: Hardware | None = None

    def isOpened(self) -> bool:
        return MANNER != "absent"

    def set(self, key: int, value: float) -> bool:
        if MANNER != "odd size":
            self._asked[key] = value
        return MANNER != "odd size"

    def get(self, key: int) -> float:
        # A device may claim one size and deliver another.
        return 32.0 if MANNER == "claims" else self._asked[key]

    def grab(self) -> bool:
        if self._hardware is None:
            size = self._asked[cv2.CAP_PROP_FRAME_WIDTH], self._asked[cv2.CAP_PROP_FRAME_HEIGHT]
            assert self._asked.get(cv2.CAP_PROP_BUFFERSIZE) == 1 or MANNER == "odd size"
            self._hardware = Hardware(int(size[0]), int(size[1]))
        self._hardware.shoot()
        return MANNER != "fails"

    def retrieve(self, memory: NDArray[np.uint8]) -> tuple[bool, Any]:
        if MANNER == "undecodable":
            raise cv2.error("(-215:Assertion failed)")
        assert self._hardware is not None
        return True, self._hardware.into(memory)

    def release(self) -> None:
        pass


class Sensor:
    """gst.GstCamera."""

    def __init__(self, plan: gst.Plan) -> None:
        assert "sensor-id=" in plan.texts[0]
        size = next(part for part in plan.texts[0].split() if part.startswith("video/x-raw"))
        fields = dict(field.split("=") for field in size.split(",")[1:])
        if MANNER == "absent":
            raise CameraError("csi:0 does not open: no such sensor")
        odd = 2 if MANNER == "odd size" else 1
        self._hardware = Hardware(int(fields["width"]) // odd, int(fields["height"]) // odd)
        self._size = int(fields["height"]) // odd, int(fields["width"]) // odd

    def grab(self) -> float:
        self._hardware.shoot()
        if MANNER == "fails":
            raise CameraError("csi:0 stopped delivering")
        return time.monotonic()

    def size(self) -> tuple[int, int]:
        return self._size

    def fetch(self, memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if MANNER == "undecodable":
            raise CameraError("csi:0 sends what cannot be decoded")
        return self._hardware.into(memory)

    def close(self) -> None:
        pass


cv2.VideoCapture = Reader  # type: ignore[assignment,misc]
gst.GstCamera = Sensor  # type: ignore[assignment,misc]
worker.main()
