"""Real networks in INT8 on people who did not calibrate them: all nodes with weights rounded, and the same faces.

Crops are cut from the middle of LFW's funneled photos, which lie roughly as aligned ones do; the figures of the note
are measured on crops aligned by the product itself. What every run tries of it, with fewer pictures, is in
tests/jobs/test_calibrate_detector.py and tests/system/test_calibrations.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.detect import Detector
from faceedge.families import detector_family
from faceedge.manifest import Manifest, Normalisation, Source
from faceedge.quantize.boxes import agreement
from faceedge.quantize.build import Quantised, quantise
from faceedge.quantize.check import faults
from faceedge.quantize.intervals import Drawing
from faceedge.quantize.likeness import Likeness, cosine
from faceedge.quantize.options import Options
from faceedge.types import Face, Floats, Image

pytestmark = [pytest.mark.assets, pytest.mark.system, pytest.mark.timeout(600)]

ARCFACE = Normalisation(colour="rgb", mean=(127.5, 127.5, 127.5), scale=1 / 127.5)
DLIB = Normalisation(colour="rgb", mean=(122.782, 117.001, 104.298), scale=0.00390625)
PLAIN = Options(method="minmax", equalise=False, centre=False, correct_bias=False)


@dataclass(frozen=True, slots=True)
class Recogniser:
    file: str
    side: int
    norm: Normalisation
    most_float: float
    """Share of the multiply-adds that may stay in float."""


RECOGNISERS = {
    "mobilefacenet": Recogniser("mobilefacenet_128.onnx", 112, ARCFACE, 0.0),
    "mobileface_v2": Recogniser("mobileface_v2_256.onnx", 112, ARCFACE, 0.0),
    "edgeface": Recogniser("edgeface_xxs_512.onnx", 112, ARCFACE, 0.012),
    "dlib": Recogniser("dlib-resnet/1/model.onnx", 150, DLIB, 0.0),
}
DETECTORS = {
    "yunet": ("yunet_n.onnx", Normalisation(colour="bgr"), 0.6, 0.3),
    "retinaface": ("retinaface_mnet025.onnx", Normalisation(colour="bgr", mean=(104, 117, 123)), 0.5, 0.4),
    "scrfd": ("scrfd_500m.onnx", Normalisation(colour="rgb", mean=(127.5, 127.5, 127.5), scale=1 / 128), 0.5, 0.4),
    "mmod": ("dlib-mmod/1/model.onnx", DLIB, 0.0, 0.3382761351109955),
}


def photos(assets: Path, start: int, count: int) -> list[Image]:
    """One photo each of `count` people of LFW, from every second person on: even ones calibrate, odd ones judge."""
    people = sorted((assets / "data" / "dev" / "lfw" / "images").iterdir())[start::2][:count]
    found = [cv2.imread(str(sorted(person.iterdir())[0])) for person in people]
    return [image for image in found if image is not None]


def batches(pictures: Sequence[Image], side: int, norm: Normalisation) -> Callable[[], Iterator[Floats]]:
    crops = [cv2.resize(one[63:187, 63:187], (side, side), interpolation=cv2.INTER_AREA) for one in pictures]
    preprocessor = CpuPreprocessor()
    return lambda: (preprocessor.tensor(crops[at : at + 8], norm) for at in range(0, len(crops), 8))


def graph_of(file: str, assets: Path, default_models: Path) -> Path:
    return assets / "models" / file if "/" not in file else default_models / file


def judged(
    one: Recogniser, graph: Path, assets: Path, target: Path, options: Options, crops: int, judges: int
) -> tuple[Quantised, Likeness]:
    made = quantise(graph, target, batches(photos(assets, 0, crops), one.side, one.norm), options)
    assert faults(onnx.load(target)) == []
    return made, cosine(graph, target, batches(photos(assets, 1, judges), one.side, one.norm))["embedding"]


def test_the_hardest_recogniser_keeps_its_embeddings(assets: Path, default_models: Path, tmp_path: Path) -> None:
    """EdgeFace, from 0.9 by plain min-max."""
    one = RECOGNISERS["edgeface"]
    graph = graph_of(one.file, assets, default_models)
    made, likeness = judged(one, graph, assets, tmp_path / "int8.onnx", Options(sample=32), 64, 64)
    assert likeness.mean >= 0.99
    assert made.float_share <= one.most_float, dict(made.kept)
    assert made.weights_after <= 0.45 * made.weights_before


@pytest.mark.soak
@pytest.mark.parametrize("name", RECOGNISERS)
def test_a_recogniser_holds_its_gates(name: str, assets: Path, default_models: Path, tmp_path: Path) -> None:
    one = RECOGNISERS[name]
    graph = graph_of(one.file, assets, default_models)
    _, before = judged(one, graph, assets, tmp_path / "plain.onnx", PLAIN, 300, 300)
    made, after = judged(one, graph, assets, tmp_path / "int8.onnx", Options(), 300, 300)
    assert after.mean >= 0.99
    assert after.p1 >= 0.97
    assert after.mean > before.mean
    assert made.float_share <= one.most_float, dict(made.kept)
    assert made.weights_after <= 0.45 * made.weights_before


class NoLandmarks:
    """Stands in for MMOD's landmark forest, which INT8 does not touch."""

    def locate(self, _image: Image, boxes: Floats) -> Floats:
        return np.zeros((len(boxes), 5, 2), np.float32)


def faces(graph: Path, manifest: Manifest, pictures: Sequence[Image]) -> list[list[Face]]:
    engine = OnnxEngine(graph, max_batch=1)
    family = detector_family(manifest)
    detector = Detector(engine, family, CpuPreprocessor(), manifest.normalisation, NoLandmarks())
    return [detector.detect([picture])[0] for picture in pictures]


@pytest.mark.soak
@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_finds_the_same_faces(name: str, assets: Path, default_models: Path, tmp_path: Path) -> None:
    file, norm, score, iou = DETECTORS[name]
    graph = graph_of(file, assets, default_models)
    manifest = Manifest(
        name=name, version="1", role="detector", family=name, normalisation=norm, score_threshold=score, nms_iou=iou,
        max_batch=1, source=Source(sha256="0" * 64, licence="MIT"),
    )  # fmt: skip
    family, preprocessor = detector_family(manifest), CpuPreprocessor()

    def canvases() -> Iterator[Floats]:
        for picture in photos(assets, 0, 120):
            yield preprocessor.letterbox([picture], family.canvas(*picture.shape[:2]), norm).copy()

    made = quantise(graph, tmp_path / "int8.onnx", canvases, Options())
    assert faults(onnx.load(made.graph)) == []
    pictures = photos(assets, 1, 300)
    wanted, found = (faces(path, manifest, pictures) for path in (graph, made.graph))
    seen = agreement(wanted, found, "eyes_nose_mouth", 0.5, Drawing(seed=1, rounds=20))
    assert seen.f1 >= 0.98
    assert made.float_share == 0
