"""The contact sheet of an enrolment: what was seen in each photo or shot, with quality and reasons, on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from faceedge.jobs.drawing import paint, sheet, write_png
from faceedge.jobs.photos import shown
from faceedge.types import Assessment, Floats, Image

if TYPE_CHECKING:
    from faceedge.jobs.vision import Portrait

TILE_PX = 360
MOST = 64
AROUND = 0.6
"""How much of a face's longer side is shown around it."""


class ContactSheet:
    """Collects tiles and writes them as one PNG. count: photos that were seen, also those beyond the `MOST` shown."""

    def __init__(self) -> None:
        self.count = 0
        self._tiles: list[tuple[str, Image]] = []

    def see(self, path: Path, image: Image, portraits: Sequence[Portrait]) -> None:
        """Adds a photo: its only face cut out, else all of it with a frame around each face."""
        self.count += 1
        if len(self._tiles) >= MOST:
            return
        if len(portraits) == 1:
            self._tiles.append((_caption(path, portraits[0].assessment), _cut(image, portraits[0].face.box)))
        else:
            said = f"{len(portraits)} faces" if portraits else "no face"
            self._tiles.append((f"{shown(Path(path.name))} {said}", paint(image, portraits, TILE_PX)))

    def write(self, path: Path) -> None:
        """The picture, if anything was seen. Raises BadInput when it cannot be written."""
        if self._tiles:
            write_png(path, sheet(self._tiles, TILE_PX))


def _caption(path: Path, assessment: Assessment) -> str:
    name = shown(Path(path.name))
    return " ".join([name[-16:], f"{assessment.quality:.2f}", ", ".join(assessment.reasons)]).strip()


def _cut(image: Image, box: Floats) -> Image:
    """The face and its surroundings, `TILE_PX` long: a small face is enlarged, so that it can be judged."""
    height, width = image.shape[:2]
    side = AROUND * float(max(box[2] - box[0], box[3] - box[1]))
    x0, y0 = (int(max(0, edge - side)) for edge in box[:2])
    x1, y1 = min(width, int(box[2] + side) + 1), min(height, int(box[3] + side) + 1)
    part = image[y0:y1, x0:x1]
    scale = TILE_PX / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
