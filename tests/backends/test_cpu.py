"""The host's preprocessing: colour order, grounds, tiles, and dlib's crops to the embedding."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge import align
from faceedge.backends.base import Canvas, CropSpec, Level
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import BadInput
from faceedge.manifest import Normalisation
from faceedge.package import read_package
from faceedge.types import Floats, Image
from tests.golden import GoldenFace, golden, photo

LIBRARY, DEV = golden("library/"), golden("dev/")
RGB = Normalisation(colour="rgb", mean=(122.782, 117.001, 104.298), scale=1 / 256)
BGR = Normalisation(colour="bgr")


def plain(height: int, width: int, bgr: tuple[int, int, int]) -> Image:
    return np.full((height, width, 3), bgr, np.uint8)


@pytest.fixture
def cpu() -> CpuPreprocessor:
    return CpuPreprocessor()


def test_the_channels_come_in_the_order_of_the_network(cpu: CpuPreprocessor) -> None:
    crop = plain(2, 3, (10, 20, 30))
    np.testing.assert_array_equal(cpu.tensor([crop], BGR)[0, :, 0, 0], [10, 20, 30])
    expected = (np.float32([30, 20, 10]) - np.float32(RGB.mean)) / 256
    np.testing.assert_allclose(cpu.tensor([crop], RGB)[0, :, 1, 2], expected, atol=1e-6)


def test_a_letterbox_has_the_colour_order_of_the_network_too(cpu: CpuPreprocessor) -> None:
    canvas = Canvas(8, 8, (Level(0, 0, 4, 2),))
    boxed = cpu.letterbox([cpu.upload(plain(2, 4, (10, 20, 30)))], canvas, BGR)
    np.testing.assert_array_equal(boxed[0, :, 1, 3], [10, 20, 30])
    assert boxed[0, :, 2:].max() == boxed[0, :, :, 4:].max() == 0


def test_the_ground_of_a_letterbox_is_black_before_normalisation(cpu: CpuPreprocessor) -> None:
    boxed = cpu.letterbox([plain(2, 2, (9, 9, 9))], Canvas(8, 8, (Level(0, 0, 2, 2),)), RGB)
    np.testing.assert_allclose(boxed[0, :, 7, 7], -np.float32(RGB.mean) / 256, atol=1e-6)


def test_the_ground_of_a_pyramid_is_zero_after_normalisation(cpu: CpuPreprocessor) -> None:
    boxed = cpu.letterbox([plain(6, 6, (9, 9, 9))], Canvas(16, 16, (Level(1, 1, 6, 6),), corner_aligned=True), RGB)
    assert boxed[0, :, 15, 15].tolist() == [0, 0, 0]


def test_frames_of_a_batch_do_not_mix_and_a_second_call_forgets_the_first(cpu: CpuPreprocessor) -> None:
    canvas = Canvas(4, 4, (Level(0, 0, 4, 4),))
    one, two = plain(4, 4, (1, 1, 1)), plain(4, 4, (2, 2, 2))
    assert cpu.letterbox([one, two], canvas, BGR).mean(axis=(1, 2, 3)).tolist() == [1, 2]
    assert cpu.letterbox([two, one], canvas, BGR).mean(axis=(1, 2, 3)).tolist() == [2, 1]


def test_a_frame_is_scaled_into_its_level(cpu: CpuPreprocessor) -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    boxed = cpu.letterbox([image], Canvas(32, 32, (Level(0, 4, 32, 24),)), BGR)
    np.testing.assert_array_equal(boxed[0].transpose(1, 2, 0)[4:28], cv2.resize(image, (32, 24)).astype(np.float32))


def test_levels_of_a_pyramid_keep_the_corners_of_the_one_before(cpu: CpuPreprocessor) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)
    levels = (Level(2, 2, 90, 60), Level(2, 64, 75, 50), Level(2, 116, 62, 41))
    boxed = cpu.letterbox([image], Canvas(94, 160, levels, corner_aligned=True), BGR)[0]
    above = image[..., 0].astype(np.float64)
    for level in levels[1:]:
        above = corner_resize(above, level.height, level.width)
        seen = boxed[0, level.y : level.y + level.height, level.x : level.x + level.width]
        np.testing.assert_allclose(seen, above, atol=0.05)


def corner_resize(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, corners on corners, in doubles."""
    y, x = np.linspace(0, plane.shape[0] - 1, height), np.linspace(0, plane.shape[1] - 1, width)
    rows = np.array([np.interp(x, np.arange(plane.shape[1]), row) for row in plane])
    return np.array([np.interp(y, np.arange(plane.shape[0]), column) for column in rows.T]).T


def test_an_upload_that_is_no_colour_image_is_refused(cpu: CpuPreprocessor) -> None:
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(BadInput, match="uint8"):
            cpu.upload(bad)  # type: ignore[arg-type]


def test_crops_of_two_sizes_make_no_batch(cpu: CpuPreprocessor) -> None:
    with pytest.raises(BadInput, match="one size"):
        cpu.tensor([plain(2, 2, (0, 0, 0)), plain(3, 3, (0, 0, 0))], BGR)


@pytest.mark.parametrize("pyramid", [False, True])
def test_a_crop_is_cut_where_the_matrix_says(cpu: CpuPreprocessor, pyramid: bool) -> None:
    image = np.random.default_rng(3).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    moved = np.array([[[1, 0, 20], [0, 1, 30]]], np.float32)
    crop = cpu.warp(image, moved, CropSpec(16, 16, pyramid))[0]
    np.testing.assert_array_equal(crop, image[30:46, 20:36])


@pytest.mark.parametrize("pyramid", [False, True])
@pytest.mark.parametrize("shift", [-500, 500])
@pytest.mark.parametrize("scale", [1, 9])
def test_a_crop_outside_the_frame_is_black(cpu: CpuPreprocessor, pyramid: bool, shift: int, scale: int) -> None:
    away = np.array([[[scale, 0, shift], [0, scale, shift]]], np.float32)
    crop = cpu.warp(plain(60, 60, (200, 200, 200)), away, CropSpec(16, 16, pyramid))[0]
    assert crop.shape == (16, 16, 3)
    assert crop.max() == 0


def test_a_tiny_frame_gives_a_crop_all_the_same(cpu: CpuPreprocessor) -> None:
    shrink = np.array([[[3, 0, -5], [0, 3, -5]]], np.float32)
    assert cpu.warp(plain(7, 7, (90, 90, 90)), shrink, CropSpec(16, 16, pyramid=True))[0].shape == (16, 16, 3)


@pytest.fixture(scope="module")
def recognizer(default_models: Path) -> OnnxEngine:
    return OnnxEngine(read_package(default_models / "dlib-resnet" / "1").graph, max_batch=16)


@pytest.mark.parametrize("name", LIBRARY)
def test_embeddings_of_library_photos_are_those_of_dlib(
    name: str, cpu: CpuPreprocessor, recognizer: OnnxEngine
) -> None:
    assert apart(cpu, recognizer, photo(name), LIBRARY[name]) < 1e-3


@pytest.mark.assets
@pytest.mark.parametrize("name", [name for name, faces in DEV.items() if faces])
def test_embeddings_of_dev_photos_are_those_of_dlib(
    name: str, cpu: CpuPreprocessor, recognizer: OnnxEngine, assets: Path
) -> None:
    assert apart(cpu, recognizer, photo(name, assets), DEV[name]) < 1e-3


def test_swapped_colours_would_show(cpu: CpuPreprocessor, recognizer: OnnxEngine) -> None:
    name = "library/skimage/data/astronaut.png"
    swapped = np.ascontiguousarray(photo(name)[..., ::-1])
    assert apart(cpu, recognizer, swapped, LIBRARY[name]) > 1e-2


def apart(cpu: CpuPreprocessor, recognizer: OnnxEngine, image: Image, faces: list[GoldenFace]) -> float:
    """Largest difference of any component from dlib's embeddings, on dlib's landmarks."""
    known = [face for face in faces if face.embedding is not None]
    matrices = align.matrices([face.landmarks for face in known], "dlib_5", "dlib_150")
    crops = cpu.warp(cpu.upload(image), matrices, align.crop_spec("dlib_150"))
    found: Floats = recognizer.infer({"input": cpu.tensor(crops, RGB)})["embedding"]  # type: ignore[assignment]
    return float(np.abs(found - np.array([face.embedding for face in known])).max())
