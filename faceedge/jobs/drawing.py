"""Pictures for people: boxes, landmarks and quality painted on photos, and several photos on one sheet."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from faceedge.decide import TRUSTED_QUALITY, USABLE_QUALITY
from faceedge.errors import BadInput
from faceedge.files import write_whole
from faceedge.jobs.photos import shown
from faceedge.types import Assessment, Image

if TYPE_CHECKING:
    from faceedge.jobs.vision import Portrait

Colour = tuple[int, int, int]
GREEN: Colour = (80, 200, 60)
AMBER: Colour = (40, 170, 250)
RED: Colour = (60, 60, 230)
INK: Colour = (245, 245, 245)
PAPER: Colour = (40, 36, 34)
CAPTION_PX = 28
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def paint(image: Image, portraits: Sequence[Portrait], side_px: int | None = None) -> Image:
    """A copy (uint8 BGR) with box, landmarks, quality and reasons of each face; green is trusted, red is not usable.

    side_px: the longer side of the copy is at most this; lines and letters keep their size.
    """
    canvas: Image = image.copy() if side_px is None else fit(image, side_px).copy()
    scale = canvas.shape[1] / image.shape[1]
    pen = math.ceil(max(canvas.shape[:2]) / 400)
    for portrait in portraits:
        _paint_face(canvas, portrait, scale, pen)
    return canvas


def fit(image: Image, side_px: int) -> Image:
    """Scaled so that the longer side is at most `side_px`; never enlarged."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def sheet(tiles: Sequence[tuple[str, Image]], side_px: int = 480) -> Image:
    """Captioned pictures in a grid, uint8 BGR; each tile at most `side_px` wide and high."""
    columns = math.ceil(math.sqrt(len(tiles)))
    lines = math.ceil(len(tiles) / columns)
    cell = side_px + CAPTION_PX
    page = np.full((lines * cell, columns * side_px, 3), PAPER, np.uint8)
    for number, (caption, tile) in enumerate(tiles):
        top, left = number // columns * cell, number % columns * side_px
        small = fit(tile, side_px)
        height, width = small.shape[:2]
        y, x = top + (side_px - height) // 2, left + (side_px - width) // 2
        page[y : y + height, x : x + width] = small
        _write(page, caption[-42:], (left + 8, top + cell - 9), 0.5)
    return page


def check_target(path: Path, photos: Sequence[Path]) -> None:
    """Raises BadInput when the picture could not be written to `path`, or would overwrite one of the photos."""
    if path.suffix.lower() != ".png":
        raise BadInput(f"{shown(path)}: pictures are drawn as PNG; name a file that ends in .png")
    if not os.path.isdir(path.parent):
        raise BadInput(f"{shown(path)}: there is no folder {shown(path.parent)}; make it first")
    if os.path.exists(path) and not os.path.isfile(path):  # unlike those of Path, they never raise
        raise BadInput(f"{shown(path)}: is not a file; name another")
    if path.resolve() in {photo.resolve() for photo in photos}:
        raise BadInput(f"{shown(path)}: is one of the photos; name another file")


def write_png(path: Path, image: Image, mode: int = 0o644) -> None:
    """Writes the picture whole or not at all. Raises BadInput when it cannot be written."""
    try:
        write_whole(path, bytes(cv2.imencode(".png", image)[1]), mode)
    except OSError as error:
        raise BadInput(f"{shown(path)}: cannot be written ({error.strerror}); name another file") from error


def _paint_face(canvas: Image, portrait: Portrait, scale: float, pen: int) -> None:
    assessment = portrait.assessment
    colour = _colour(assessment)
    x0, y0, x1, y1 = np.rint(portrait.face.box * scale).astype(int).tolist()
    cv2.rectangle(canvas, (x0, y0), (x1, y1), colour, pen)
    for x, y in np.rint(portrait.face.landmarks * scale).astype(int).tolist():
        cv2.circle(canvas, (x, y), pen + 1, colour, cv2.FILLED, cv2.LINE_AA)
    label = " ".join([f"{assessment.quality:.2f}", ", ".join(assessment.reasons)]).strip()
    _write(canvas, label, (x0, max(y0 - 4 * pen, 14 * pen)), 0.25 + 0.2 * pen, colour)


def _colour(assessment: Assessment) -> Colour:
    if assessment.quality >= TRUSTED_QUALITY:
        return GREEN
    return AMBER if assessment.quality >= USABLE_QUALITY else RED


def _write(canvas: Image, text: str, at: tuple[int, int], scale: float, colour: Colour = INK) -> None:
    """Dark outline below, so that it reads on any background. The font knows ASCII only."""
    plain = text.encode("ascii", "replace").decode("ascii")
    thin = max(1, round(scale * 2))
    x, y = at
    for aside in ((x - 1, y - 1), (x + 1, y - 1), (x - 1, y + 1), (x + 1, y + 1)):
        # Not one thicker writing: some versions of OpenCV space bold letters wider, so that they stick out.
        cv2.putText(canvas, plain, aside, _FONT, scale, PAPER, thin, cv2.LINE_AA)
    cv2.putText(canvas, plain, at, _FONT, scale, colour, thin, cv2.LINE_AA)
