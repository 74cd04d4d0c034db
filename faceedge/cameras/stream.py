"""Clips and live streams through OpenCV's FFmpeg and V4L2."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from faceedge.errors import CameraError
from faceedge.types import Image

OPEN_TIMEOUT_MS = 3000
READ_TIMEOUT_MS = 2000
DEFAULT_FPS = 25.0
MIN_FPS, MAX_FPS = 0.1, 240.0
"""Clips without a fixed rate claim odd ones, such as the ticks of their clock."""


class ClipCamera:
    """A video file, read picture by picture; the caller keeps its pace."""

    def __init__(self, path: Path) -> None:
        self._source = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        if not self._source.isOpened():
            raise CameraError(f"{path}: not a video that can be decoded; convert it to H.264 or MJPEG")
        claimed = self._source.get(cv2.CAP_PROP_FPS)
        self.fps = claimed if MIN_FPS <= claimed <= MAX_FPS else DEFAULT_FPS

    def read(self) -> Image | None:
        """See Camera."""
        good, image = self._source.read()
        return np.asarray(image, np.uint8) if good else None

    def close(self) -> None:
        """See Camera."""
        self._source.release()


class LiveCamera:
    """An RTSP stream or a V4L2 device. Time-outs must be given at opening, later ones are ignored by OpenCV."""

    fps = 0.0

    def __init__(self, source: str | int) -> None:
        device = isinstance(source, int) or source.startswith("/dev/")
        self._kind = f"camera {source}" if device else "the network camera"
        self._source = self._open(source, device)
        if not self._source.isOpened():
            raise CameraError(f"{self._kind} does not open; check its cable, address and password")

    def read(self) -> Image | None:
        """See Camera."""
        try:
            good, image = self._source.read()
        except cv2.error as error:
            raise CameraError(f"{self._kind} sends what cannot be decoded") from error
        if not good:
            raise CameraError(f"{self._kind} stopped delivering")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        """See Camera."""
        self._source.release()

    @staticmethod
    def _open(source: str | int, device: bool) -> cv2.VideoCapture:
        if device:
            return cv2.VideoCapture(source, cv2.CAP_V4L2)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
        return cv2.VideoCapture(str(source), cv2.CAP_FFMPEG, limits)
