"""Rendered scenes at a door: faces of real photos put before a background and moved about, one frame after another."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceedge.types import Frame, Image

SIZE = (480, 360)
EVERY_S = 0.11
"""A little more than the spacing of shots, so that every frame gives one."""
SETTING = 1.0
"""Hair and neck around a face, as a share of its box on every side."""


@dataclass(frozen=True)
class Sitter:
    """One photo of a person. box: x, y, width, height of the face in px."""

    person: str
    path: Path
    box: tuple[float, float, float, float]


def sitters(dev: Path, least: int = 3) -> dict[str, list[Sitter]]:
    """People of the development photos with so many photos, frames of clips left out."""
    boxes = {row["image"]: row for row in _rows(dev / "boxes.csv") if row["x"]}
    found: dict[str, list[Sitter]] = {}
    for row in _rows(dev / "ident.csv"):
        if row["image"] in boxes and row["role"] != "unknown" and not row["person"].startswith(("asl", "grid")):
            x, y, w, h = (float(boxes[row["image"]][side]) for side in ("x", "y", "w", "h"))
            found.setdefault(row["person"], []).append(Sitter(row["person"], dev / row["image"], (x, y, w, h)))
    return {person: photos for person, photos in found.items() if len(photos) >= least}


def put(
    canvas: Image, photo: Image, box: Sequence[float], at: Sequence[float], side_px: float, share: float = 1
) -> Image:
    """The canvas with a face before it: middle at `at`, so wide, soft edges. share: 0 not there, 1 solid."""
    factor = side_px / box[2]
    while factor <= 0.5:  # finer detail than the canvas holds would flicker as no lens lets it
        photo = np.asarray(cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        box, factor = [side / 2 for side in box], 2 * factor
    x, y, w, h = box
    matrix = np.array([[factor, 0, at[0] - factor * (x + w / 2)], [0, factor, at[1] - factor * (y + h / 2)]])
    moved = cv2.warpAffine(photo, matrix, (canvas.shape[1], canvas.shape[0]))
    mask = np.zeros(canvas.shape[:2], np.float32)
    axes = (round(side_px * (0.5 + SETTING / 3)), round(side_px * (0.6 + SETTING / 3)))
    cv2.ellipse(mask, (round(at[0]), round(at[1])), axes, 0, 0, 360, (share,), -1)
    inside = cv2.warpAffine(np.ones(photo.shape[:2], np.float32), matrix, (canvas.shape[1], canvas.shape[0]))
    weight = (cv2.GaussianBlur(mask, (0, 0), 3) * inside)[..., None]
    return np.asarray(canvas * (1 - weight) + moved * weight, np.uint8)


def noisy(image: Image, rng: np.random.Generator, sigma: float = 2.0, jpeg: int = 85) -> Image:
    """As a sensor and a codec give it."""
    loud = np.clip(image + rng.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", loud, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], 1), np.uint8)


def background(rng: np.random.Generator) -> Image:
    """Soft shapes in which nobody sees a face."""
    coarse = rng.integers(40, 200, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)


def as_frames(images: Sequence[Image], camera: str = "entry") -> list[Frame]:
    """With numbers from 0 and media times."""
    return [Frame(camera, number, image, number * EVERY_S) for number, image in enumerate(images)]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
