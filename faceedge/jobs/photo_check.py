"""A photo that comes with faceedge, through the whole path of networks that are to work together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from faceedge.config import EngineSettings
from faceedge.errors import PackageError
from faceedge.families.nms import overlap
from faceedge.gallery.search import similarity
from faceedge.jobs.engines import OnnxEngines
from faceedge.jobs.vision import Portrait, Vision
from faceedge.manifest import Role
from faceedge.models.selftest import picture
from faceedge.package import Package
from faceedge.types import Floats, Image

PHOTO = Path(__file__).parents[1] / "models" / "portrait.jpg"
"""Eileen Collins, by NASA, in the public domain."""
FACE = np.array([116, 62, 210, 176], np.float32)
"""x0, y0, x1, y1 px: brow to chin, ear to ear."""
LEAST_OVERLAP = 0.4
"""Of a box with that of the face: detectors differ in how much of brow and neck they take with it."""
SMALLER, DARKER = 0.85, 0.8
MEND = "see to colour order, scale, outputs and alignment in its model.toml, or add another package"


def check_photo(packages: Mapping[Role, Package | None]) -> None:
    """Opens them in ONNX Runtime, and lets them find the face, and know it again smaller and in less light, but not in
    a pattern.

    packages: by role, as they are to serve together; without detector or recogniser nothing is asked. Raises
    PackageError, EngineError.
    """
    detector, recognizer = packages.get("detector"), packages.get("recognizer")
    if detector is None or recognizer is None:
        return
    photo = cv2.imread(str(PHOTO))
    if photo is None:
        raise PackageError(f"{PHOTO}: cannot be read; install faceedge again")
    image = np.asarray(photo, np.uint8)
    pair = f"{detector.label} and {recognizer.label}"
    with Vision(detector, recognizer, OnnxEngines(EngineSettings(backend="onnx")), packages.get("quality")) as vision:
        known = _face(vision, image, FACE, pair)
        again = _face(vision, _otherwise(image), FACE * np.float32(SMALLER), pair)
        crop = vision.crop_spec
        (pattern,) = vision.recognizer.embed([picture(crop.width, crop.height)])
        match = vision.thresholds.match
        if not similarity(known.template, again.template, vision.metric) >= match:
            raise PackageError(f"{pair}: do not know the face of the test photo again; {MEND}")
        if not similarity(known.template, pattern, vision.metric) < match:
            raise PackageError(f"{pair}: take a pattern for the face of the test photo; {MEND}")


def _face(vision: Vision, image: Image, place: Floats, pair: str) -> Portrait:
    """The face where it is known to be. Raises PackageError when it is not found, or told by what is no number."""
    found = [one for one in vision.portraits(image) if float(overlap(place, one.face.box[None])[0]) >= LEAST_OVERLAP]
    if not found:
        raise PackageError(f"{pair}: do not find the face of the test photo; {MEND}")
    if not (np.isfinite(found[0].template.embedding).all() and np.isfinite(found[0].assessment.quality)):
        raise PackageError(f"{pair}: answer the test photo with numbers that are none; {MEND}")
    return found[0]


def _otherwise(image: Image) -> Image:
    small = cv2.resize(image, None, fx=SMALLER, fy=SMALLER, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.convertScaleAbs(small, alpha=DARKER), np.uint8)
