"""What the camera shows, over and over: the demo's astronaut, who may pass, and the stranger, who may not, by turns.

Somebody stands there most of the time, so that an outage costs decisions and the end of one shows soon. Who is
to be seen when follows from the clock alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from faceedge.demo import sheet
from faceedge.demo.script import FPS
from faceedge.errors import CameraError
from faceedge.types import Image

HALL = range(8)
"""Frames of the demo's clip in which nobody is."""
KNOWN = range(52, 82)
STRANGER = range(308, 338)
"""Both come nearer, and are near enough to be recognised."""
ASIDE_PX = 100
"""The one is shown further to the left and the other further to the right, so that nobody takes them for one."""
JPEG_QUALITY = 92
BEAT_S = (len(KNOWN) + len(HALL)) / FPS
"""From one person to the next."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """Somebody was to be seen, in monotonic seconds. known: it was the one who may pass."""

    start: float
    end: float
    known: bool


@dataclass(frozen=True, slots=True, eq=False)
class Reel:
    """pictures: JPEG files in the order they are shown. people: first and last picture of each person, and whether
    it is the one who may pass."""

    pictures: Sequence[bytes]
    people: Sequence[tuple[int, int, bool]]
    fps: float = FPS

    @property
    def seconds(self) -> float:
        """Of one turn."""
        return len(self.pictures) / self.fps

    @property
    def portrait(self) -> int:
        """A picture of the one who may pass."""
        return next((first + last) // 2 for first, last, known in self.people if known)

    def number_at(self, at_s: float) -> int:
        """Which picture, counted from the first turn, is shown so long after the start."""
        return math.floor(at_s * self.fps)

    def appearances(self, began: float, start: float, end: float) -> list[Appearance]:
        """Who was to be seen between two moments, from the beginning of their scene to its end. began: of the reel."""
        turns = range(math.floor((start - began) / self.seconds), math.floor((end - began) / self.seconds) + 1)
        shown = [
            Appearance(turn_began + first / self.fps, turn_began + (last + 1) / self.fps, known)
            for turn_began in (began + turn * self.seconds for turn in turns)
            for first, last, known in self.people
        ]
        return [one for one in shown if one.start >= start and one.end <= end]


def cut(clip: Path) -> Reel:
    """The reel, out of the demo's clip. Raises BadInput when the clip is too short."""
    numbers = [*HALL, *KNOWN, *STRANGER]
    frames = sheet.read_frames(clip, numbers)
    scenes = [(KNOWN, -ASIDE_PX, True), (HALL, 0, None), (STRANGER, ASIDE_PX, False), (HALL, 0, None)]
    pictures: list[bytes] = []
    people = []
    for scene, aside_px, known in scenes:
        if known is not None:
            people.append((len(pictures), len(pictures) + len(scene) - 1, known))
        pictures += [_jpeg(_moved(frames[number], aside_px)) for number in scene]
    return Reel(pictures, people)


def _moved(image: Image, aside_px: int) -> Image:
    """The picture further to the right, its edge mirrored."""
    matrix = np.array([[1, 0, aside_px], [0, 1, 0]], np.float32)
    size = (image.shape[1], image.shape[0])
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _jpeg(image: Image) -> bytes:
    good, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise CameraError("this OpenCV cannot write JPEG; install opencv-python-headless from PyPI")
    return encoded.tobytes()
