"""The pictures that `faceedge bench` measures with: a folder's, a clip's, or a built-in one."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceedge.cameras import open_camera
from faceedge.demo import photos
from faceedge.errors import BadInput, MissingExtra
from faceedge.jobs.photos import photos_in, read_photo, shown
from faceedge.types import Image

MOST = 16
EVERY_S = 1.0
"""Of a clip one picture a second counts."""
BUILT_IN_SIZE = (1280, 720)
MAX_SIDE_PX = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """source: where they are from, in words. images: uint8 BGR, at least one."""

    source: str
    images: list[Image]

    def as_json(self) -> dict[str, Any]:
        """sizes: width and height in px, each once."""
        sizes = sorted({image.shape[1::-1] for image in self.images})
        return {"source": self.source, "count": len(self.images), "sizes": sizes}


def a_size(text: str) -> tuple[int, int]:
    """`1280x720` from the command line, as width and height in px."""
    width, cross, height = text.lower().partition("x")
    if cross and all(side.isdecimal() and 16 <= int(side) <= MAX_SIDE_PX for side in (width, height)):
        return int(width), int(height)
    raise argparse.ArgumentTypeError(f"{text!r} is no size in pixels; write it as 1280x720")


def frames_of(images: Path | None, clip: Path | None, size: tuple[int, int] | None) -> Frames:
    """At most `MOST` pictures. size: what each is scaled to, its sides in proportion and the rest grey.

    Raises BadInput or CameraError when a file cannot be used.
    """
    if images is not None:
        found = Frames(shown(images), [read_photo(path) for path in photos_in([images])[:MOST]])
    elif clip is not None:
        found = Frames(shown(clip), _of_clip(clip))
    else:
        size = size or BUILT_IN_SIZE
        found = _built_in(size)
    return found if size is None else Frames(found.source, [_fitted(image, size) for image in found.images])


def _of_clip(path: Path) -> list[Image]:
    camera = open_camera(f"file:{path}")
    every = max(1, round(camera.fps * EVERY_S))
    kept: list[Image] = []
    number = 0
    try:
        while len(kept) < MOST and (image := camera.read()) is not None:
            if number % every == 0:
                kept.append(image)
            number += 1
    finally:
        camera.close()
    if not kept:
        raise BadInput(f"{shown(path)}: not one picture can be decoded; convert the clip to H.264 or MJPEG")
    return kept


def _built_in(size: tuple[int, int]) -> Frames:
    """Two portraits side by side, or, without the extra that ships them, a pattern that nobody is in."""
    width, height = size
    try:
        pair = [_fitted(portrait, (width // 2, height)) for portrait in (photos.astronaut(), photos.admiral())]
    except MissingExtra:
        down, across = np.mgrid[:height, :width]
        pattern = np.stack([across * 7 + down * 3, across * 2 + down * 5, across + down * 11], axis=2) % 256
        return Frames("a made-up pattern", [pattern.astype(np.uint8)])
    return Frames("two portraits of the extra demo", [np.hstack(pair)])


def _fitted(image: Image, size: tuple[int, int]) -> Image:
    """In proportion, in the middle of grey."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.full((size[1], size[0], 3), 114, np.uint8)
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    canvas[y : y + inner[1], x : x + inner[0]] = cv2.resize(image, inner, interpolation=kind)
    return canvas
