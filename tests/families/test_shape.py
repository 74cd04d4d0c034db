"""The shape predictor: dlib's landmarks, over all faces at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceedge.errors import PackageError
from faceedge.families.shape import ShapePredictor
from faceedge.models.landmarks import load_landmarker, load_shape_predictor, save_shape_predictor
from faceedge.package import read_package
from tests.golden import GoldenFace, golden, photo

LIBRARY, DEV = golden("library/"), golden("dev/")


@pytest.fixture(scope="module")
def predictor(default_models: Path) -> ShapePredictor:
    return load_shape_predictor(default_models / "dlib-mmod" / "1" / "landmarks.npz")


@pytest.mark.parametrize("name", LIBRARY)
def test_landmarks_of_library_photos_are_those_of_dlib(name: str, predictor: ShapePredictor) -> None:
    assert apart(predictor, name, LIBRARY[name], None) <= 1


@pytest.mark.assets
def test_landmarks_of_dev_photos_are_those_of_dlib(predictor: ShapePredictor, assets: Path) -> None:
    worst = {name: apart(predictor, name, faces, assets) for name, faces in DEV.items() if faces}
    assert max(worst.values()) <= 1
    assert sum(value > 0 for value in worst.values()) <= 1  # equal to the pixel, but for a sum on the edge of rounding


def apart(predictor: ShapePredictor, name: str, faces: list[GoldenFace], assets: Path | None) -> float:
    located = predictor.locate(photo(name, assets), np.array([face.box for face in faces]))
    return float(np.abs(located - [face.landmarks for face in faces]).max())


def test_faces_together_are_found_as_each_alone(predictor: ShapePredictor) -> None:
    image = photo("library/skimage/data/astronaut.png")
    boxes = np.array([[170, 60, 280, 170], [0, 0, 80, 80], [400, 400, 700, 700], [-30, -30, 60, 60]], np.float32)
    together = predictor.locate(image, boxes)
    alone = np.concatenate([predictor.locate(image, box[None]) for box in boxes])
    assert together.dtype == np.float32
    np.testing.assert_array_equal(together, alone)


def test_no_box_is_no_landmark(predictor: ShapePredictor) -> None:
    assert predictor.locate(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4), np.float32)).shape == (0, 5, 2)


def test_a_box_beside_the_picture_reads_black_and_ends(predictor: ShapePredictor) -> None:
    located = predictor.locate(np.zeros((90, 90, 3), np.uint8), np.array([[200, 200, 300, 300]], np.float32))
    assert np.isfinite(located).all()


def test_what_is_saved_is_read_back(predictor: ShapePredictor, tmp_path: Path) -> None:
    save_shape_predictor(predictor, tmp_path / "landmarks.npz")
    again = load_shape_predictor(tmp_path / "landmarks.npz")
    np.testing.assert_array_equal(again.leaves, predictor.leaves)
    np.testing.assert_array_equal(again.splits, predictor.splits)


@pytest.mark.parametrize("length", [0, 10, 1000, 100_000])
def test_a_damaged_file_is_refused_by_name(default_models: Path, tmp_path: Path, length: int) -> None:
    path = tmp_path / "landmarks.npz"
    path.write_bytes((default_models / "dlib-mmod" / "1" / "landmarks.npz").read_bytes()[:length])
    with pytest.raises(PackageError, match=r"landmarks\.npz: cannot be read"):
        load_shape_predictor(path)


def test_arrays_that_do_not_fit_each_other_are_refused(predictor: ShapePredictor, tmp_path: Path) -> None:
    odd = ShapePredictor(
        predictor.initial,
        predictor.anchors[:3],
        predictor.deltas,
        predictor.splits,
        predictor.thresholds,
        predictor.leaves,
    )
    save_shape_predictor(odd, tmp_path / "landmarks.npz")
    with pytest.raises(PackageError, match="odd shape"):
        load_shape_predictor(tmp_path / "landmarks.npz")


def test_a_package_without_landmarks_has_no_landmarker(default_models: Path) -> None:
    assert load_landmarker(read_package(default_models / "dlib-resnet" / "1")) is None
