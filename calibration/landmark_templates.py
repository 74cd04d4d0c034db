"""Measures where one scheme's landmarks lie in crops that the other scheme has aligned (`align.ALIGNMENTS`).

    python calibration/landmark_templates.py ASSETS

Both detectors look at the same photos; a face counts when their boxes overlap by half. Prints the mean place of each
point, in crop px before the alignment's own pixel rule, and its standard deviation over the faces.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from faceedge import align
from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.families.nms import overlap
from faceedge.jobs.vision import Vision, open_vision
from faceedge.models.store import make_package
from faceedge.types import Face, Floats, Image

PAIRS = (("eyes_nose_mouth", "dlib_5", "dlib_150"), ("dlib_5", "eyes_nose_mouth", "arcface_112"))


def faces(photos: list[Path], dlib: Vision, yunet: Vision) -> Iterator[dict[str, Floats]]:
    """Landmarks of one face by scheme, for every face that both detectors find."""
    for photo in photos:
        image = cv2.imread(str(photo))
        if image is not None:
            yield from _both(image, dlib, yunet)


def _both(image: Image, dlib: Vision, yunet: Vision) -> Iterator[dict[str, Floats]]:
    others: list[Face] = yunet.detector.detect([image])[0]
    for face in dlib.detector.detect([image])[0]:
        shares = [float(overlap(face.box, other.box[None])[0]) for other in others]
        if shares and max(shares) >= 0.5:
            yield {"dlib_5": face.landmarks, "eyes_nose_mouth": others[int(np.argmax(shares))].landmarks}


def places(points: Floats, native: Floats, template: Floats, in_crop: bool) -> Floats:
    """`points` (n, 5, 2) of frames, seen in crops that `native` (n, 5, 2) aligns to `template`."""
    linear, shift = align.similarity(template, native, fitted_in_source=in_crop)
    return np.einsum("nij,nkj->nki", np.linalg.inv(linear), points - shift[:, None])


def main() -> None:
    assets, state = Path(sys.argv[1]), Path(tempfile.mkdtemp())
    settings, cache = EngineSettings(threads=2), cache_dir()
    make_package(assets / "models" / "yunet_n.onnx", "yunet", state / "models")
    make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", state / "models")
    dev = assets / "data" / "dev"
    photos = sorted([*dev.glob("faces/*/*.jpg"), *dev.glob("lfw/images/*/*.jpg")])
    with (
        open_vision(Models(), settings, state, cache) as dlib,
        open_vision(Models(detector="yunet", recognizer="edgeface-xxs"), settings, state, cache) as yunet,
    ):
        found = list(faces(photos, dlib, yunet))
    print(f"{len(photos)} photos, {len(found)} faces")
    for scheme, native, alignment in PAIRS:
        chosen = align.ALIGNMENTS[alignment]
        seen, own = (np.array([face[name] for face in found]) for name in (scheme, native))
        seen = places(seen, own, np.array(chosen.templates[native]), chosen.fitted_in_crop)
        print(scheme, "->", alignment)
        for name, mean, spread in zip(align.SCHEMES[scheme], seen.mean(axis=0), seen.std(axis=0), strict=True):
            print(f"  ({mean[0]:.4f}, {mean[1]:.4f}),  # {name}, +- {spread[0]:.1f} {spread[1]:.1f}")


if __name__ == "__main__":
    main()
