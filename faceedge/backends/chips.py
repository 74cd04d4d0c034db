"""dlib's way to cut a face out: halve the picture with a blur until the crop no longer shrinks it, then interpolate."""

from __future__ import annotations

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats, Image

_BILINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
_OUTSIDE = (-1e9, -1e9, -1e9, -1e9)
"""Any share of it makes a pixel negative, then black: dlib paints a pixel black unless all four neighbours exist."""
_TOWARDS_ZERO = 3e-5
"""dlib cuts fractions off; float32 may end two units in its last place below the whole number that doubles reach."""
_MIN_SIDE_PX = 8


def pyramid_chip(image: Image, matrix: Floats, width: int, height: int) -> Image:
    """The crop of `width` x `height` px (uint8) that `matrix` (2, 3), crop px to image px, describes."""
    linear = np.asarray(matrix[:, :2], np.float64)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    centre = linear @ middle + matrix[:, 2]
    sides = np.hypot(linear[0], linear[1]) * (width - 1, height - 1)
    depth = _depth(sides, width * height)
    region, corner = _region(image, linear, middle, centre, depth)
    centre = centre - corner
    for _ in range(depth):
        region, linear = _halved(region), linear / 2
        centre = centre / 2 - (1.25, 0.75)
    if region.size == 0:
        return np.zeros((height, width, 3), np.uint8)
    placed = np.column_stack([linear, centre - linear @ middle])
    chip = cv2.warpAffine(region, placed, (width, height), flags=_BILINEAR, borderValue=_OUTSIDE)
    return cast(Image, np.maximum(chip + _TOWARDS_ZERO, 0).astype(np.uint8))


def _depth(sides: NDArray[Any], pixels: int) -> int:
    """How many halvings leave the area (sides + 1 px, dlib's inclusive rectangles) above that of the crop."""
    depth = 0
    half = sides / 2
    while math.prod(half + 1) > pixels:
        half = half / 2
        depth += 1
    return depth


def _region(
    image: Image, linear: NDArray[Any], middle: NDArray[Any], centre: NDArray[Any], depth: int
) -> tuple[Floats, NDArray[Any]]:
    """The part of the image that matters, float32, and its corner; the margin keeps border effects out."""
    margin = 2.0
    for _ in range(depth):
        margin = margin * 2 + 2
    reach = np.abs(linear) @ middle + margin
    limit = np.array([image.shape[1] - 1, image.shape[0] - 1], np.float64)
    low = np.round(np.clip(centre - reach, 0, None)).astype(int)
    high = np.round(np.minimum(centre + reach, limit)).astype(int)
    part = image[low[1] : max(high[1] + 1, low[1]), low[0] : max(high[0] + 1, low[0])]
    return part.astype(np.float32), low


def _halved(region: Floats) -> Floats:
    """5x5 binomial blur, every second pixel from the third on, fractions cut off."""
    height, width = region.shape[:2]
    if min(height, width) <= _MIN_SIDE_PX:
        return np.zeros((0, 0, 3), np.float32)
    half = cv2.pyrDown(region)[1 : 1 + (height - 3) // 2, 1 : 1 + (width - 3) // 2]
    return cast(Floats, np.floor(half))
