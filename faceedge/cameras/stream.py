"""Clips through OpenCV's FFmpeg."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from faceedge.errors import CameraError
from faceedge.types import Image

DEFAULT_FPS = 25.0
MIN_FPS, MAX_FPS = 0.5, 240.0
"""Clips without a fixed rate claim odd ones, such as the ticks of their clock; slower ones leave a heart silent."""


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
