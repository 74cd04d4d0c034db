"""A family on real photos, beside the plain reference loop."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks import reference
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.detect import Detector
from faceedge.families import detector_family
from faceedge.models.store import make_package
from faceedge.types import Image


def photos(assets: Path) -> list[Image]:
    """Portraits, small LFW squares with black corners, and a group that is shrunk to fit."""
    dev = assets / "data" / "dev"
    groups = [dev / "groups" / name for name in ("ul_6.jpg", "voc_2007_007763.jpg")]
    paths = [*sorted(dev.glob("faces/*/1.jpg"))[::13], *sorted(dev.glob("lfw/images/*/*.jpg"))[::900], *groups]
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths]


def detector(graph: Path, recipe: str, root: Path) -> Detector:
    """The stage with a network of the assets."""
    package = make_package(graph, recipe, root)
    engine = OnnxEngine(package.graph, max_batch=4)
    return Detector(engine, detector_family(package.manifest), CpuPreprocessor(), package.manifest.normalisation)


def sees_what_the_reference_sees(name: str, recipe: str, assets: Path, root: Path) -> int:
    """Asserts equal faces in every photo; how many there were."""
    graph = assets / "models" / f"{name}.onnx"
    stage, session = detector(graph, recipe, root), reference.opened(graph)
    count = 0
    for image in photos(assets):
        ours, theirs = stage.detect([image])[0], reference.detect(session, reference.DETECTORS[name], image)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=1e-3)
            np.testing.assert_allclose(one.landmarks, other.points, atol=1e-4)
            assert abs(one.score - other.score) < 1e-6
        count += len(ours)
    return count
