"""A vision without networks that keeps the rules of the real one: largest face first, unit templates, one space.

A photo for it is made by `photo`: each face is one square whose colour says who it is and how good the picture is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceedge.fit import Judging, Thresholds
from faceedge.types import Assessment, Face, Image, Template

CELL_PX = 40
DIMENSION = 64
SPACE = "fake0space00"


@dataclass(frozen=True, slots=True)
class Sitter:
    """Who is in the picture (1..255), which picture of them (0..255, from 200 on hardly alike), and how good (0..1)."""

    person: int
    pose: int = 0
    quality: float = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class FakePortrait:
    face: Face
    crop: Image
    assessment: Assessment
    template: Template


def photo(*sitters: Sitter) -> Image:
    """A picture of these people side by side; the first one is the largest."""
    canvas = np.zeros((CELL_PX, CELL_PX * max(1, len(sitters)), 3), np.uint8)
    for place, sitter in enumerate(sitters):
        side = CELL_PX - 2 * place
        colour = (round(sitter.quality * 255), sitter.pose, sitter.person)
        canvas[:side, place * CELL_PX : place * CELL_PX + side] = colour
    return canvas


def save(path: Path, *sitters: Sitter) -> Path:
    """The same as a PNG file, lossless."""
    assert cv2.imwrite(str(path), photo(*sitters))
    return path


def template(sitter: Sitter, space: str = SPACE) -> Template:
    """Near for one person, far for two."""
    base = np.random.default_rng(sitter.person).normal(size=DIMENSION)
    spread = 2.0 if sitter.pose >= 200 else 0.3
    vector = base + spread * np.random.default_rng((sitter.person, sitter.pose, 1)).normal(size=DIMENSION)
    norm = float(np.linalg.norm(vector))
    return Template((vector / norm).astype(np.float32), norm, space)


class FakeVision:
    """Stands in for `jobs.vision.Vision` in enrolment, compare and extract."""

    thresholds = Thresholds(grey=0.6, match=0.7, strict=0.8)
    door_thresholds = thresholds
    judging = Judging()
    look_alike = 0.6
    metric = "cosine"
    space = SPACE
    recognizer_build = "fake0build00"
    raw: float | None = None
    """What its quality network says of every face; None: there is none."""

    @property
    def builds(self) -> dict[str, str]:
        quality = {} if self.raw is None else {"quality": "fake0quality"}
        return {"detector": "fake0detect0", "recognizer": self.recognizer_build, **quality}

    def portraits(self, image: Image) -> list[FakePortrait]:
        cells = [image[:, at : at + CELL_PX] for at in range(0, image.shape[1], CELL_PX)]
        found = [self._portrait(cell, place) for place, cell in enumerate(cells) if cell[0, 0, 2] > 0]
        return sorted(found, key=lambda portrait: -portrait.face.width_px * portrait.face.height_px)

    def _portrait(self, cell: Image, place: int) -> FakePortrait:
        light, pose, person = (int(value) for value in cell[0, 0])
        left, side = place * CELL_PX, CELL_PX - 2 * place
        box = np.array([left, 0, left + side, side], np.float32)
        points: Sequence[tuple[float, float]] = [(0.3, 0.3), (0.7, 0.3), (0.5, 0.5), (0.35, 0.7), (0.65, 0.7)]
        landmarks = np.array([(left + x * side, y * side) for x, y in points], np.float32)
        quality = light / 255
        reasons = ("too dark",) if quality < 0.6 else ()
        sitter = Sitter(person, pose, quality)
        seen = Assessment(quality, reasons, self.raw)
        return FakePortrait(Face(box, 0.99, landmarks), cell.copy(), seen, template(sitter))

    def __enter__(self) -> FakeVision:
        return self

    def __exit__(self, *exception: object) -> None:
        return None
