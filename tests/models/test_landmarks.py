"""`landmarks.npz` comes with a package, so from anybody: whatever is in it, it is read or refused in one line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faceedge.errors import PackageError
from faceedge.manifest import Manifest, Normalisation, Source
from faceedge.models.landmarks import load_landmarker, load_shape_predictor
from faceedge.package import Package


def sound() -> dict[str, NDArray[Any]]:
    return {
        "initial": np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2), "anchors": np.zeros((1, 3), np.uint8),
        "deltas": np.zeros((1, 3, 2), np.float32), "splits": np.zeros((1, 1, 1, 2), np.uint16),
        "thresholds": np.zeros((1, 1, 1), np.float32), "leaves": np.zeros((1, 1, 2, 10), np.float32),
    }  # fmt: skip


def written(folder: Path, **changes: NDArray[Any]) -> Path:
    path = folder / "landmarks.npz"
    np.savez_compressed(path, **(sound() | changes))
    return path


def with_bytes(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, old in members.items():
            archive.writestr(one, content if one == name else old)
    return path


def header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    parts = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, parts)
    return stream.getvalue()


def refusal(path: Path) -> str:
    with pytest.raises(PackageError) as caught:
        load_shape_predictor(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    return text


def detector(folder: Path, family: str) -> Package:
    manifest = Manifest(
        name="other", version="1", role="detector", family=family, normalisation=Normalisation(colour="bgr"),
        source=Source(sha256="0" * 64, licence="MIT"),
    )  # fmt: skip
    return Package(folder, manifest, None, "", "")


def test_sound_arrays_are_read(tmp_path: Path) -> None:
    predictor = load_shape_predictor(written(tmp_path))
    assert predictor.locate(np.zeros((50, 50, 3), np.uint8), np.array([[5, 5, 40, 40]], np.float32)).shape == (1, 5, 2)


@pytest.mark.parametrize("shape", [(1 << 40, 2), (1 << 62, 1 << 62), (6, 2), (4, 2)])
def test_a_shape_that_lies_is_refused_before_memory_is_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    content = header(shape) + bytes(40)
    assert "than its shape says" in refusal(with_bytes(written(tmp_path), "initial.npy", content))


def test_an_array_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    content = header((5, 2)) + bytes(65 << 20)
    assert "more than 64 MB" in refusal(with_bytes(written(tmp_path), "initial.npy", content))


@pytest.mark.parametrize(
    "changes",
    [
        {"anchors": np.zeros((1, 0), np.uint8), "deltas": np.zeros((1, 0, 2), np.float32)},
        {"anchors": np.zeros((1, 3), np.float32)},
        {"splits": np.full((1, 1, 1, 2), -5, np.int32)},
        {"splits": np.full((1, 1, 1, 2), 3, np.uint16)},
        {"leaves": np.full((1, 1, 2, 10), np.nan, np.float32)},
        {"leaves": np.zeros((1, 1, 2, 10), np.complex64)},
        {"thresholds": np.full((1, 1, 1), "word")},
        {"splits": np.zeros((), np.uint16)},
    ],
)
def test_numbers_that_cannot_be_used_are_refused(tmp_path: Path, changes: dict[str, NDArray[Any]]) -> None:
    assert "odd shape" in refusal(written(tmp_path, **changes))


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01\x00\x10\x00{{{{{(((((\n     ", b"\x93NUMPY\x09\x00", b"x" * 99]
)
def test_a_header_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "cannot be read" in refusal(with_bytes(written(tmp_path), "splits.npy", content))


def test_three_hundred_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole, random = path.read_bytes(), np.random.default_rng(4)
    said: list[str] = []
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=2):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            load_shape_predictor(path)
        except PackageError as error:
            said.append(str(error))
    assert len(said) > 100
    assert all(text.isprintable() for text in said)


def test_a_network_that_finds_boxes_only_needs_them(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"landmarks\.npz is missing, mmod finds boxes only"):
        load_landmarker(detector(tmp_path, "mmod"))
    assert load_landmarker(detector(tmp_path, "yunet")) is None


def test_another_number_of_points_is_refused(tmp_path: Path) -> None:
    four = {"initial": np.zeros((4, 2), np.float32), "leaves": np.zeros((1, 1, 2, 8), np.float32)}
    written(tmp_path, **four)
    with pytest.raises(PackageError, match="has 4 points, not 5"):
        load_landmarker(detector(tmp_path, "mmod"))
