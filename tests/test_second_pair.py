"""YuNet and EdgeFace beside the default pair: the seam of package, family and stage holds for both.

A wrong colour order hardly shows in accuracy, so fixed vectors test it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from faceedge.config import EngineSettings, Models, cache_dir
from faceedge.demo.photos import admiral, astronaut, cat
from faceedge.errors import PackageError
from faceedge.gallery.search import similarity
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.types import Image

pytestmark = pytest.mark.assets


@pytest.fixture(scope="module")
def state(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with both packages made from the asset networks."""
    root = tmp_path_factory.mktemp("state")
    make_package(assets / "models" / "yunet_n.onnx", "yunet", root / "models")
    make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", root / "models")
    return root


@pytest.fixture(scope="module")
def vision(state: Path) -> Iterator[Vision]:
    models = Models(detector="yunet", recognizer="edgeface-xxs")
    with open_vision(models, EngineSettings(), state, cache_dir()) as opened:
        yield opened


def test_the_same_person_matches_across_photos_and_two_people_do_not(vision: Vision) -> None:
    first = vision.portraits(astronaut())[0]
    again = vision.portraits(cv2.convertScaleAbs(cv2.flip(astronaut(), 1)[40:, :480], alpha=0.8))[0]
    other = vision.portraits(admiral())[0]
    assert similarity(first.template, again.template, vision.metric) > vision.thresholds.strict
    assert similarity(first.template, other.template, vision.metric) < vision.thresholds.grey
    assert first.template.embedding.shape == (512,)
    assert np.linalg.norm(first.template.embedding) == pytest.approx(1, abs=1e-5)


def test_a_cat_is_no_face(vision: Vision) -> None:
    assert vision.portraits(cat()) == []


def test_a_frame_finds_the_same_faces_alone_and_in_a_batch_of_other_sizes(vision: Vision) -> None:
    photos = [astronaut(), admiral(), cat(), cv2.resize(admiral(), None, fx=2, fy=2)]
    together = vision.detector.detect(photos)
    for photo, faces in zip(photos, together, strict=True):
        alone = vision.detector.detect([photo])[0]
        assert [face.score for face in faces] == pytest.approx([face.score for face in alone], abs=1e-5)
        for a, b in zip(faces, alone, strict=True):
            np.testing.assert_allclose(a.landmarks, b.landmarks, atol=0.01)


def test_boxes_and_landmarks_lie_on_the_labelled_faces(vision: Vision, assets: Path) -> None:
    dev = assets / "data" / "dev"
    rows = [line.split(",") for line in (dev / "boxes.csv").read_text().splitlines()[1:]]
    rows = [row for row in rows if row[0].startswith("faces/") and row[1]][::9]
    assert len(rows) > 15
    for name, *numbers in rows:
        x, y, w, h = (float(number) for number in numbers[:4])
        faces = vision.detector.detect([cv2.imread(str(dev / name))])[0]
        middles = [(face.box[:2] + face.box[2:]) / 2 for face in faces]
        inside = [x < middle[0] < x + w and y < middle[1] < y + h for middle in middles]
        assert any(inside), name
        marks = faces[inside.index(True)].landmarks
        assert marks[0, 0] < marks[1, 0], name
        assert marks[:2, 1].mean() < marks[3:, 1].mean(), name


def reference(graph: Path, crop: Image) -> np.ndarray:
    """The embedding as MODELS.md states its input: RGB, (x - 127.5) / 127.5, in plain numpy."""
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    tensor = ((crop[:, :, ::-1].astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
    raw = session.run(None, {"input": np.ascontiguousarray(tensor)})[0][0]
    return raw / np.linalg.norm(raw)


def test_the_recogniser_sees_red_where_the_photo_is_red(vision: Vision, assets: Path) -> None:
    crop = vision.portraits(astronaut())[0].crop
    expected = reference(assets / "models" / "edgeface_xxs_512.onnx", crop)
    swapped = reference(assets / "models" / "edgeface_xxs_512.onnx", crop[:, :, ::-1])
    embedding = vision.recognizer.embed([crop])[0].embedding
    np.testing.assert_allclose(embedding, expected, atol=1e-4)
    assert np.abs(embedding - swapped).max() > 1e-2


def test_one_detector_may_serve_the_other_recogniser(state: Path) -> None:
    for models in (Models(detector="yunet"), Models(recognizer="edgeface-xxs")):
        with open_vision(models, EngineSettings(), state, cache_dir()) as mixed:
            same = [mixed.portraits(photo)[0].template for photo in (astronaut(), cv2.flip(astronaut(), 1))]
            other = mixed.portraits(admiral())[0].template
            assert similarity(*same, mixed.metric) > mixed.thresholds.match
            assert similarity(same[0], other, mixed.metric) < mixed.thresholds.match


def test_a_package_in_the_wrong_role_is_refused(state: Path) -> None:
    with pytest.raises(PackageError, match="edgeface-xxs@1 is a recognizer, not a detector"):
        open_vision(Models(detector="edgeface-xxs"), EngineSettings(), state, cache_dir())
