"""The people (and the cat) of the demo, cut out of their photographs and put into a picture at any size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from faceedge.demo import photos
from faceedge.types import Floats, Image

FEATHER_PX = 1.3
"""Softness of the cut, in pixels of the photograph."""

# Outlines in pixels of the photographs. Where a photo ends before its subject does, the outline runs on beyond the
# edge: the picture is continued there with its last column or row.
ASTRONAUT_OUTLINE = (
    "200,24 186,37 162,52 154,65 156,101 169,117 172,125 182,135 182,145 179,148 151,152 132,166 121,184 123,202 "
    "119,206 110,207 92,225 65,246 41,291 39,305 26,343 26,366 19,390 19,416 24,432 23,460 28,493 20,560 500,560 "
    "489,496 487,468 489,459 495,450 494,426 488,405 477,383 450,358 421,346 393,344 380,345 370,349 365,348 "
    "359,338 353,291 341,264 331,253 304,233 289,203 276,189 256,173 256,164 264,149 265,141 292,114 300,92 "
    "296,59 288,43 277,32 250,19 228,16"
)
ADMIRAL_OUTLINE = (
    "218,32 209,44 195,51 181,63 177,69 176,82 153,105 146,117 146,173 157,187 153,198 153,211 160,226 170,260 "
    "168,279 176,289 189,294 193,298 196,323 162,345 132,354 120,360 97,363 76,370 48,386 37,414 27,427 27,459 "
    "22,520 24,570 20,800 560,800 530,540 514,450 493,395 488,390 464,377 420,365 368,343 337,321 333,315 362,258 "
    "369,223 369,211 374,199 374,189 368,181 371,134 369,129 369,100 365,90 354,81 346,62 341,57 303,31 287,30 270,24 "
    "249,23 235,25"
)
ADMIRAL_PLAIN_PX = 570
"""Rows of her photo above a brass button that would become a stripe when the last row is continued."""
CAT_OUTLINE = (
    "38,-20 34,40 36,95 0,112 -20,120 -20,320 309,320 309,273 312,266 314,226 316,221 343,191 355,169 361,148 361,115 "
    "354,100 366,91 367,67 370,58 399,34 406,25 407,13 399,-20"
)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A cut-out. anchor: the point between the eyes, px of the photo. face_px: width of the face box there.

    layers: premultiplied BGRA uint8, full size and half size, so that shrinking does not alias.
    """

    anchor: tuple[float, float]
    face_px: float
    layers: tuple[Image, ...]


def figures() -> dict[str, Figure]:
    """All of them by name: `astronaut`, `admiral`, `cat`. Raises MissingExtra when a photo's library is absent."""
    return {
        "astronaut": _cut(photos.astronaut(), ASTRONAUT_OUTLINE, (214, 103), 96),
        "admiral": _cut(_deepened(photos.admiral()[:ADMIRAL_PLAIN_PX]), ADMIRAL_OUTLINE, (271, 195), 165),
        "cat": _cut(photos.cat(), CAT_OUTLINE, (243, 122), 170),
    }


def place(figure: Figure, size: tuple[int, int], at: tuple[float, float], face_px: float, tilt_deg: float) -> Image:
    """The figure with its anchor `at` px of an otherwise clear picture of `size` (width, height).

    Returns premultiplied BGRA, uint8 (height, width, 4).
    """
    scale = face_px / figure.face_px
    level = 1 if scale < 0.7 and len(figure.layers) > 1 else 0
    x, y = (value / 2**level for value in figure.anchor)
    matrix = cv2.getRotationMatrix2D((x, y), tilt_deg, scale * 2**level)
    matrix[:, 2] += at[0] - x, at[1] - y
    return np.asarray(cv2.warpAffine(figure.layers[level], matrix, size, flags=cv2.INTER_LINEAR), np.uint8)


def _deepened(photo: Image) -> Image:
    """Darker middle tones: this photo was taken in brighter light than the others."""
    curve = 255 * (np.arange(256) / 255) ** 1.5
    return np.asarray(cv2.LUT(photo, curve.round().astype(np.uint8)), np.uint8)


def _cut(photo: Image, outline: str, anchor: tuple[float, float], face_px: float) -> Figure:
    points = np.array([pair.split(",") for pair in outline.split()], np.int32)
    height, width = photo.shape[:2]
    left, top = np.maximum(-points.min(axis=0), 0)
    right, bottom = np.maximum(points.max(axis=0) - (width, height), 0)
    photo = np.asarray(cv2.copyMakeBorder(photo, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8)
    matte = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(matte, [np.add(points, (left, top))], 255, cv2.LINE_AA)
    layer = _premultiplied(photo, _feathered(matte))
    half = cv2.resize(layer, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Figure((anchor[0] + float(left), anchor[1] + float(top)), face_px, (layer, np.asarray(half, np.uint8)))


def _feathered(matte: Image) -> Floats:
    # Drawn in a little first, so that the soft edge holds no background.
    inside = cv2.erode(matte, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    return np.asarray(cv2.GaussianBlur(inside, (0, 0), FEATHER_PX) / 255, np.float32)


def _premultiplied(photo: Image, alpha: Floats) -> Image:
    colour = photo * alpha[..., None]
    return np.asarray(np.dstack([colour, alpha * 255]).round(), np.uint8)
