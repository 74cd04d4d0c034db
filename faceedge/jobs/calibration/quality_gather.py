"""Photos of people in; for each a clean picture, spoiled copies and things that are no face out, as rows of numbers.

Everything goes the way of the flow: a copy is searched by the detector anew, cut, measured and recognised. What the
detector found is remembered, so that an interrupted fit goes on; pixels and embeddings stay in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from faceedge import align
from faceedge.assess import shot
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.families.nms import overlap
from faceedge.jobs.calibration.eyes import Eyes
from faceedge.jobs.calibration.quality_spoil import WAYS, Box, Dice, Spoil, distant, drawn, pattern, shuffled, spoiled
from faceedge.jobs.calibration.source import Photo, read_once
from faceedge.recognize import Recognizer
from faceedge.types import Assessment, Face, Image, Template

Progress = Callable[[str, float], None]
REVISION = 3
"""Raised when the same photo and seed give other copies."""
TIMES = 2
"""So often each way of spoiling makes a copy: a head that saw every fault once of each face foretold less."""
NO_FACES = 4
DISTANT = (False, True, True)
"""Copies from farther away, and whether they are spoiled as well: a camera sees small faces, photos hardly show any."""
AROUND, WINDOW_PX = 2.4, 352
"""The picture around a face: so many times the face, at most so many px."""
SAME = 0.3
"""A box on a copy that overlaps by so much is the face."""


@dataclass(frozen=True, slots=True)
class Look:
    """One crop that was recognised. photo, mirrored: what it comes from. clean: nothing was done to it. covered:
    something was put over the face. is_face: else it shows none. plain: quality by plain features alone;
    before: what is said before the recogniser answers. distant: from farther away, and nothing else was done to it."""

    photo: int
    person: str
    mirrored: bool
    clean: bool
    covered: bool
    is_face: bool
    face: Face
    plain: float
    before: Assessment
    template: Template
    distant: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """A picture that is yet to be looked at, and where its face is. key: by what its faces are remembered. layout: of
    what is no face."""

    image: Image
    box: Box
    key: str
    mirrored: bool
    clean: bool = False
    covered: bool = False
    distant: bool = False
    layout: Face | None = None


class Gatherer:
    """eyes: the detector. recognizer: that a head is fitted to, crops of this alignment."""

    def __init__(self, eyes: Eyes, recognizer: Recognizer, alignment: str, seed: int) -> None:
        self._eyes, self._recognizer, self._alignment, self._seed = eyes, recognizer, alignment, seed
        self._preprocessor = CpuPreprocessor()

    def looks(self, photos: Sequence[Photo], unreadable: list[str], tell: Progress) -> list[Look]:
        """All of them. A photo without a face gives none. Raises EngineError when a network fails."""
        found: list[Look] = []
        for number, one in enumerate(photos):
            tell("spoiling and recognising photos", number / len(photos))
            read = read_once(one.path, unreadable)
            if read is not None:
                found += self._looks(number, one, *read)
        return found

    def _looks(self, number: int, one: Photo, digest: str, photo: Image) -> Iterator[Look]:
        photo = self._eyes.shrunk(photo)
        faces = self._eyes.faces(digest, photo)
        if not faces:
            return
        dice = np.random.default_rng([self._seed, REVISION, int(digest[:12], 16)])
        image, box = window(photo, faces[0])
        sights = [(scene, face) for scene in self._scenes(image, box, digest, dice) for face in self._faces(scene)]
        crops = [self._crop(scene.image, face) for scene, face in sights]
        for (scene, face), crop, template in zip(sights, crops, self._recognizer.embed(crops), strict=True):
            plain = shot(face, crop, self._eyes.scheme).quality
            before = shot(face, crop, self._eyes.scheme, is_asked=True)
            yield Look(
                number, one.person, scene.mirrored, scene.clean, scene.covered, scene.layout is None, face, plain,
                before, template, scene.distant,
            )  # fmt: skip

    def _scenes(self, image: Image, box: Box, digest: str, dice: Dice) -> Iterator[_Scene]:
        """Clean ones first."""
        sides = {False: (image, box), True: (np.ascontiguousarray(image[:, ::-1]), _mirrored(box, image.shape[1]))}
        for mirrored, (side, place) in sides.items():
            yield _Scene(side, place, f"{digest}-{int(mirrored)}", mirrored, clean=True)
        copies: list[tuple[bool, Spoil | None]] = [(False, way) for way in WAYS * TIMES]
        copies += [(True, WAYS[int(dice.integers(len(WAYS)))] if worse else None) for worse in DISTANT * TIMES]
        for at, (is_far, way) in enumerate(copies):
            mirrored = bool(dice.random() < 0.5)
            shown, place = sides[mirrored]
            is_covered = False
            if is_far:
                shown, place = distant(shown, place, dice)
            if way is not None:
                shown, is_covered = spoiled(shown, place, dice, way)
            key = f"{digest}-{self._seed}-{REVISION}-{at}"
            yield _Scene(shown, place, key, mirrored, covered=is_covered, distant=way is None)
        layouts = self._eyes.faces(f"{digest}-0", image)
        for _ in range(NO_FACES if layouts else 0):
            scene, where = no_face(image, box, dice)
            if dice.random() < 0.5:
                scene, _ = spoiled(scene, where, dice, WAYS[int(dice.integers(len(WAYS)))])
            yield _Scene(scene, where, "", False, layout=_laid(layouts[0], box, where, dice))

    def _faces(self, scene: _Scene) -> list[Face]:
        """The face of a scene, where it is found."""
        if scene.layout is not None:
            return [scene.layout]
        x, y, wide, high = scene.box
        place = np.array([x, y, x + wide, y + high], np.float32)
        found = self._eyes.faces(scene.key, scene.image)
        near = [float(overlap(place, face.box[None])[0]) for face in found]
        return [found[int(np.argmax(near))]] if near and max(near) >= SAME else []

    def _crop(self, image: Image, face: Face) -> Image:
        matrices = align.matrices([face.landmarks], self._eyes.scheme, self._alignment)
        spec = align.crop_spec(self._alignment)
        return self._preprocessor.warp(self._preprocessor.upload(image), matrices, spec)[0]


def window(photo: Image, face: Face) -> tuple[Image, Box]:
    """The picture around a face, no larger than is of use, and where the face lies in it."""
    reach = AROUND / 2 * max(face.width_px, face.height_px)
    x, y = (float(face.box[0] + face.box[2]) / 2, float(face.box[1] + face.box[3]) / 2)
    left, top = max(0, int(x - reach)), max(0, int(y - reach))
    image = photo[top : int(y + reach) + 1, left : int(x + reach) + 1]
    factor = min(1.0, WINDOW_PX / max(image.shape[:2]))
    if factor < 1:
        image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    place = ((face.box[0] - left) * factor, (face.box[1] - top) * factor)
    wide, high = face.width_px * factor, face.height_px * factor
    return np.ascontiguousarray(image), (float(place[0]), float(place[1]), wide, high)


def no_face(image: Image, box: Box, dice: Dice) -> tuple[Image, Box]:
    """A picture, and a place in it that shows no face: background, a face in pieces, a pattern, or a drawn face."""
    kind = int(dice.integers(4))
    if kind == 0:
        side = float(min(image.shape[:2])) * dice.uniform(0.15, 0.5)
        for _ in range(20):
            x, y = dice.uniform(0, image.shape[1] - side), dice.uniform(0, image.shape[0] - side)
            if not _meet((x, y, side, side), box):
                return image, (float(x), float(y), side, side)
    if kind == 1:
        return shuffled(image, box, dice), box
    side = int(dice.uniform(70, 240))
    made = drawn(side, dice) if kind == 2 else pattern(side, dice)
    return made, (0.2 * side, 0.2 * side, 0.6 * side, 0.6 * side)


def _meet(one: Box, other: Box) -> bool:
    """Whether more than a twentieth of the first lies in the second."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return wide > 0 and high > 0 and wide * high > 0.05 * one[2] * one[3]


def _laid(face: Face, box: Box, where: Box, dice: Dice) -> Face:
    """A face's landmarks, shaken, laid into another place: what a detector would claim to have seen there."""
    factor = np.array([where[2] / max(box[2], 1.0), where[3] / max(box[3], 1.0)], np.float32)
    marks = (face.landmarks - np.array(box[:2], np.float32)) * factor + np.array(where[:2], np.float32)
    marks += dice.normal(0, 0.03 * where[2], marks.shape)
    edges = np.array([where[0], where[1], where[0] + where[2], where[1] + where[3]], np.float32)
    return Face(edges, float(dice.uniform(0.5, 0.95) * max(face.score, 0.1)), np.asarray(marks, np.float32))


def _mirrored(box: Box, width: int) -> Box:
    return (width - box[0] - box[2], box[1], box[2], box[3])
