"""What is measured of an image before it may calibrate: size, light, noise, faces, and what it resembles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceedge.types import Face, Floats, Image

Bits: TypeAlias = NDArray[np.uint8]
HASH_BITS = 256
_WINDOW_PX = 256


@dataclass(frozen=True, slots=True, eq=False)
class ImageFacts:
    """Of a photo (a detector's image) or of one aligned crop (a recogniser's).

    name: for the operator. digest: sha256 of the file. width, height: of the photo, in px. faces: found by the float
    detector. face_px: width of the largest, 0 without. Of that face, or of the photo without one: light, contrast: mean
    and standard deviation of the grey levels, 0..255; detail: share of the contrast in the finest details, near 0 where
    it is blurred or was enlarged from a few pixels; warmth: red minus blue. neighbours: correlation of pixels beside
    each other, near 1 in pictures, near 0 in noise. bits: uint8 (32,), a difference hash. embedding: float32 (d,), unit
    norm, of the largest face.
    """

    name: str
    digest: str
    width: int
    height: int
    faces: int
    face_px: float
    light: float
    contrast: float
    detail: float
    warmth: float
    neighbours: float
    bits: Bits
    embedding: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What a recogniser's set is judged by: the aligned crop (uint8 BGR) and its embedding, float32 (d,), unit norm."""

    crop: Image
    embedding: Floats


def facts_of(name: str, digest: str, photo: Image, faces: Sequence[Face], cut: Cut | None = None) -> ImageFacts:
    """Measures a photo (uint8 BGR) and the faces found on it. cut: of its largest face, for
    a recogniser, whose set is then judged by its crops."""
    largest = max(faces, key=lambda face: face.width_px * face.height_px, default=None)
    seen = photo if cut is None else cut.crop
    face = seen if largest is None or cut is not None else _middle_of(photo, largest)
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    blue, _, red = face.reshape(-1, 3).mean(axis=0)
    return ImageFacts(
        name, digest, photo.shape[1], photo.shape[0], len(faces), largest.width_px if largest else 0.0,
        float(grey.mean()), float(grey.std()), detail(grey), float(red - blue),
        neighbours(photo), difference_hash(seen),
        None if cut is None else cut.embedding,
    )  # fmt: skip


def detail(grey: Image) -> float:
    """Share of the contrast in details of about 2 px on a side of 96 px."""
    shown = cv2.resize(grey, (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = shown - cv2.GaussianBlur(shown, (0, 0), 1.5)
    return float(fine.std()) / max(float(shown.std()), 4.0)


def neighbours(image: Image) -> float:
    """Correlation of pixels beside and below each other, the lower of the two, in a window at the image's middle."""
    grey = np.asarray(cv2.cvtColor(_window(image), cv2.COLOR_BGR2GRAY)).astype(np.float32)
    return min(_correlation(grey[:, :-1], grey[:, 1:]), _correlation(grey[:-1], grey[1:]))


def difference_hash(image: Image) -> Bits:
    """Which of two neighbours is brighter, 16 x 16 times on the shrunk picture, packed to uint8 (32,)."""
    small = cv2.resize(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1])


def _correlation(one: Floats, other: Floats) -> float:
    """1 of a picture without contrast or of one pixel: nothing in it is random."""
    if not one.size:
        return 1.0
    one, other = one - one.mean(), other - other.mean()
    lengths = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / lengths if lengths > 1e-3 * one.size else 1.0


def _window(image: Image) -> Image:
    top, left = (max(0, (side - _WINDOW_PX) // 2) for side in image.shape[:2])
    return image[top : top + _WINDOW_PX, left : left + _WINDOW_PX]


def _middle_of(photo: Image, face: Face) -> Image:
    """The middle of a face's box, hair and background left out; the photo when nothing is left."""
    left, top, right, bottom = face.box.astype(int)
    inset_x, inset_y = (right - left) // 5, (bottom - top) // 5
    part = photo[max(0, top + inset_y) : bottom - inset_y, max(0, left + inset_x) : right - inset_x]
    return part if part.size else photo
