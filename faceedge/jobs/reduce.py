"""Very large photos are searched at reduced size: a detector's memory grows with the pixels it looks at."""

from __future__ import annotations

import math

import cv2
import numpy as np

from faceedge.types import Face, Image

SEARCHED_PIXELS = 8_000_000
"""About 1.3 GB of activations in the default detector, which still finds faces of a thirtieth of the width."""


def reduced(image: Image) -> tuple[Image, float]:
    """The picture (uint8 BGR), of at most `SEARCHED_PIXELS`, and the factor back to the original."""
    height, width = image.shape[:2]
    if height * width <= SEARCHED_PIXELS:
        return image, 1.0
    factor = math.sqrt(height * width / SEARCHED_PIXELS)
    size = (int(width / factor), int(height / factor))  # not 0: photos are bounded in length, too
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), factor


def enlarged(face: Face, factor: float) -> Face:
    """The face in px of the original."""
    if factor == 1.0:
        return face
    return Face(face.box * np.float32(factor), face.score, face.landmarks * np.float32(factor))
