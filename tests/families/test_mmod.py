"""MMOD: the same tiles, boxes and scores as dlib."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.backends.base import Level
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.detect import Detector
from faceedge.errors import EngineError, PackageError
from faceedge.families import detector_family
from faceedge.families.mmod import Mmod, tiled_pyramid
from faceedge.families.nms import overlap
from faceedge.manifest import Manifest
from faceedge.models.landmarks import load_landmarker
from faceedge.package import read_package
from faceedge.types import Face, Floats, Image
from tests.golden import GoldenFace, golden, photo

LIBRARY, DEV = golden("library/"), golden("dev/")


@pytest.fixture(scope="module")
def manifest(default_models: Path) -> Manifest:
    return read_package(default_models / "dlib-mmod" / "1").manifest


@pytest.fixture(scope="module")
def detector(default_models: Path) -> Detector:
    package = read_package(default_models / "dlib-mmod" / "1")
    engine = OnnxEngine(package.graph, max_batch=8)
    family = detector_family(package.manifest)
    return Detector(engine, family, CpuPreprocessor(), package.manifest.normalisation, load_landmarker(package))


@pytest.mark.parametrize("name", LIBRARY)
def test_faces_of_library_photos_are_those_of_dlib(name: str, detector: Detector) -> None:
    same_faces(detector, photo(name), LIBRARY[name])


@pytest.mark.assets
@pytest.mark.parametrize("name", DEV)
@pytest.mark.system
def test_faces_of_dev_photos_are_those_of_dlib(name: str, detector: Detector, assets: Path) -> None:
    same_faces(detector, photo(name, assets), DEV[name])


def same_faces(detector: Detector, image: Image, expected: list[GoldenFace]) -> None:
    found = detector.detect([image])[0]
    assert len(found) == len(expected)
    for one in expected:
        best = max(found, key=lambda face: float(overlap(one.box, face.box[None])[0]))
        assert overlap(one.box, best.box[None])[0] >= 0.9
        assert best.score == pytest.approx(np.tanh(one.confidence), abs=1e-4)
        assert np.abs(best.landmarks - one.landmarks).max() <= 1


def test_the_golden_photos_are_many_and_varied() -> None:
    counts = [len(faces) for faces in (*LIBRARY.values(), *DEV.values())]
    assert len(counts) >= 16
    assert max(counts) >= 9


def test_frames_of_one_size_can_share_a_batch(detector: Detector) -> None:
    image = photo("library/skimage/data/astronaut.png")
    dark = image // 2
    alone = [detector.detect([one])[0] for one in (image, dark)]
    together = detector.detect([image, dark])
    assert [len(faces) for faces in together] == [len(faces) for faces in alone]
    for one, other in zip(alone, together, strict=True):
        assert [box_of(face) for face in one] == [box_of(face) for face in other]


def box_of(face: Face) -> list[float]:
    return [float(value) for value in face.box]


@pytest.mark.parametrize(
    ("height", "width"), [(360, 640), (250, 250), (1280, 854), (81, 1000), (1000, 81), (10, 10), (1, 1)]
)
def test_tiles_lie_inside_the_canvas_and_apart(height: int, width: int) -> None:
    canvas = tiled_pyramid(height, width)
    taken = np.zeros((canvas.height, canvas.width), np.int32)
    for level in canvas.levels:
        assert level.x >= 11
        assert level.y >= 11
        assert level.x + level.width + 11 <= canvas.width
        assert level.y + level.height + 11 <= canvas.height
        taken[level.y : level.y + level.height, level.x : level.x + level.width] += 1
    assert taken.max() == 1
    assert canvas.levels[0] == Level(11, 11, width, height)


def test_every_level_is_five_sixths_of_the_one_before() -> None:
    sizes = [(level.width, level.height) for level in tiled_pyramid(360, 640).levels]
    assert sizes[:4] == [(640, 360), (533, 300), (444, 250), (370, 208)]


@pytest.mark.parametrize("side", [1, 5, 16])
def test_a_tiny_frame_holds_no_face(detector: Detector, side: int) -> None:
    assert detector.detect([np.full((side, side, 3), 99, np.uint8)]) == [[]]


@pytest.mark.system
def test_a_huge_frame_is_shrunk_and_its_faces_are_mapped_back(detector: Detector, manifest: Manifest) -> None:
    image = photo("library/skimage/data/astronaut.png")
    small = max(detector.detect([image])[0], key=lambda face: face.score)
    wide = np.zeros((3000, 2500, 3), np.uint8)
    wide[:2048, :2048] = cv2.resize(image, (2048, 2048))
    large = max(detector.detect([wide])[0], key=lambda face: face.score)
    assert tiled_pyramid(3000, 2500).height > Mmod(manifest).canvas(3000, 2500).height
    assert overlap(small.box * 4, large.box[None])[0] > 0.7


def scores(manifest: Manifest, cells: dict[tuple[int, int], float]) -> tuple[Mmod, dict[str, Floats]]:
    """A score map for a frame of 360 x 640 with peaks at (row, column)."""
    canvas = tiled_pyramid(360, 640)
    grid = np.full((1, 1, (canvas.height - 21) // 8, (canvas.width - 21) // 8), -1, np.float32)
    for (row, column), score in cells.items():
        grid[0, 0, row, column] = score
    return Mmod(manifest), {"score": grid}


def test_a_peak_on_the_first_level_is_a_window_of_80_px_around_it(manifest: Manifest) -> None:
    family, outputs = scores(manifest, {(20, 30): 1.0})
    seen = family.decode(outputs, 0, tiled_pyramid(360, 640), 360, 640)
    # Cell centre (8 * 30 + 14, 8 * 20 + 14) less the corner of the level; half of 80 px, rounded away from zero.
    assert seen.boxes.tolist() == [[204, 124, 284, 204]]
    assert seen.scores[0] == pytest.approx(np.tanh(1.0))
    assert seen.landmarks is None


def test_of_two_windows_that_cover_each_other_the_better_stays(manifest: Manifest) -> None:
    family, outputs = scores(manifest, {(20, 30): 0.5, (21, 30): 0.9, (20, 50): 0.3})
    seen = family.decode(outputs, 0, tiled_pyramid(360, 640), 360, 640)
    assert seen.boxes[:, 1].tolist() == [132, 124]
    assert np.all(np.diff(seen.scores) < 0)


def test_nothing_above_the_threshold_is_no_face(manifest: Manifest) -> None:
    family, outputs = scores(manifest, {(20, 30): 0.0})
    seen = family.decode(outputs, 0, tiled_pyramid(360, 640), 360, 640)
    assert seen.boxes.shape == (0, 4)
    assert seen.scores.shape == (0,)


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_no_face(manifest: Manifest, nonsense: float) -> None:
    family, outputs = scores(manifest, {(20, 30): 1.0, (20, 31): nonsense, (40, 10): nonsense})
    assert len(family.decode(outputs, 0, tiled_pyramid(360, 640), 360, 640).scores) == 1


def test_a_score_map_that_is_missing_or_of_another_size_is_refused(manifest: Manifest) -> None:
    family, outputs = scores(manifest, {})
    whole = outputs["score"]
    for bad in (whole[:, :, 1:], whole[0], whole[:, :0], whole[:0]):
        with pytest.raises(EngineError, match=r"^output 'score' is of shape .*; give the package [a-z ]*$"):
            family.decode({"score": bad}, 0, tiled_pyramid(360, 640), 360, 640)
    with pytest.raises(EngineError, match=r"^output 'score' is missing, "):
        family.decode({"scores": whole}, 0, tiled_pyramid(360, 640), 360, 640)


def test_the_graph_may_call_the_score_map_otherwise(manifest: Manifest) -> None:
    _, outputs = scores(manifest, {(20, 30): 1.0})
    family = Mmod(manifest.model_copy(update={"outputs": {"score": "peaks"}}))
    canvas = tiled_pyramid(360, 640)
    assert len(family.decode({"peaks": outputs["score"]}, 0, canvas, 360, 640).scores) == 1


def test_an_unknown_family_is_refused_by_name(manifest: Manifest) -> None:
    with pytest.raises(PackageError, match="family 'sausage'; known are mmod, retinaface, scrfd, yunet"):
        detector_family(manifest.model_copy(update={"family": "sausage"}))
