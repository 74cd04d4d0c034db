"""The landmark predictor that lies beside a detector which finds boxes only: `landmarks.npz` in its package."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import PackageError, one_line
from faceedge.families.shape import ShapePredictor
from faceedge.package import Package

FILE = "landmarks.npz"
POINTS = 5
BOXES_ONLY = ("mmod",)
"""Families that find no landmarks themselves."""
MAX_ARRAY_BYTES = 64 << 20
"""dlib's largest array of five points has 5 MB."""
_FAULTS = (OSError, ValueError, LookupError, EOFError, TypeError, RuntimeError, OverflowError, MemoryError)
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, tokenize.TokenError)


def load_landmarker(package: Package) -> ShapePredictor | None:
    """The predictor of a detector package; None when the package has none.

    Raises PackageError when it is damaged, or missing where the network finds boxes only.
    """
    path = package.folder / FILE
    if not path.exists():
        if package.manifest.family in BOXES_ONLY:
            raise PackageError(f"{package.folder}: {FILE} is missing, {package.manifest.family} finds boxes only")
        return None
    predictor = load_shape_predictor(path)
    if len(predictor.initial) != POINTS:
        raise PackageError(f"{path}: has {len(predictor.initial)} points, not {POINTS}; add the package again")
    return predictor


def load_shape_predictor(path: Path) -> ShapePredictor:
    """Reads what `save_shape_predictor` wrote. Raises PackageError when the file is damaged or of another kind."""
    names = [field.name for field in fields(ShapePredictor)]
    try:
        with zipfile.ZipFile(path) as archive:
            predictor = ShapePredictor(**{name: _array(archive, f"{name}.npy") for name in names})
        fits = _fits(predictor)
    except (*_FAULTS, *_ZIP_FAULTS) as error:
        fault = one_line(str(error), 160) or type(error).__name__
        raise PackageError(f"{path}: cannot be read ({fault}); remove its folder to import it anew") from error
    if not fits:
        raise PackageError(f"{path}: arrays of odd shape; remove its folder to import it anew")
    return predictor


def save_shape_predictor(predictor: ShapePredictor, path: Path) -> None:
    """Writes the arrays, with the smallest integer types that hold them."""
    arrays = {field.name: getattr(predictor, field.name) for field in fields(predictor)}
    arrays["anchors"], arrays["splits"] = arrays["anchors"].astype(np.uint8), arrays["splits"].astype(np.uint16)
    np.savez(path, **arrays)


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """numpy's own reader would allocate whatever the header says before it reads a byte."""
    with archive.open(name) as file:
        content = file.read(MAX_ARRAY_BYTES + 1)
    if len(content) > MAX_ARRAY_BYTES:
        raise ValueError(f"{name} has more than {MAX_ARRAY_BYTES >> 20} MB")
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of another version of numpy's format")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"{name} holds more or fewer numbers than its shape says")
    flat: NDArray[Any] = np.frombuffer(content, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _fits(one: ShapePredictor) -> bool:
    if one.splits.ndim != 4 or one.deltas.ndim != 3 or one.initial.ndim != 2:
        return False
    cascades, trees, nodes, _ = one.splits.shape
    points, pixels = len(one.initial), one.deltas.shape[1]
    shapes = (
        one.anchors.shape == (cascades, pixels) and one.deltas.shape == (cascades, pixels, 2),
        one.splits.shape[3] == 2 and one.thresholds.shape == (cascades, trees, nodes),
        one.leaves.shape == (cascades, trees, nodes + 1, 2 * points) and one.initial.shape[1] == 2,
        nodes & (nodes + 1) == 0,
    )
    return all(shapes) and _are_numbers(one) and int(one.anchors.max()) < points and int(one.splits.max()) < pixels


def _are_numbers(one: ShapePredictor) -> bool:
    floats, indices = (one.initial, one.deltas, one.thresholds, one.leaves), (one.anchors, one.splits)
    if any(array.dtype.kind != "u" or not array.size for array in indices):
        return False
    return all(array.dtype.kind == "f" and np.isfinite(array).all() for array in floats)
