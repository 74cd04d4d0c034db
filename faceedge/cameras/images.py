"""A folder of pictures, played in the order of their names."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from faceedge.errors import CameraError
from faceedge.types import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
FPS = 5.0


class ImagesCamera:
    """Pictures of a folder; files that do not decode are passed over."""

    fps = FPS

    def __init__(self, folder: Path) -> None:
        files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise CameraError(f"{folder}: no folder with JPEG, PNG or WebP pictures")
        self._files = iter(files)

    def read(self) -> Image | None:
        """See Camera."""
        for path in self._files:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if image is not None:
                return np.asarray(image, np.uint8)
        return None

    def close(self) -> None:
        """See Camera."""
        self._files = iter(())
