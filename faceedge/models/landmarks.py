"""The landmark predictor that lies beside a detector which finds boxes only: `landmarks.npz` in its package."""

from __future__ import annotations

import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from faceedge.errors import PackageError
from faceedge.families.shape import ShapePredictor
from faceedge.package import Package

FILE = "landmarks.npz"


def load_landmarker(package: Package) -> ShapePredictor | None:
    """The predictor of a detector package; None when the package has none. Raises PackageError when damaged."""
    path = package.folder / FILE
    return load_shape_predictor(path) if path.exists() else None


def load_shape_predictor(path: Path) -> ShapePredictor:
    """Reads what `save_shape_predictor` wrote. Raises PackageError when the file is damaged or of another kind."""
    names = [field.name for field in fields(ShapePredictor)]
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            predictor = ShapePredictor(**{name: arrays[name] for name in names})
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise PackageError(f"{path}: cannot be read ({error}); remove its folder to import it anew") from error
    if not _fits(predictor):
        raise PackageError(f"{path}: arrays of odd shape; remove its folder to import it anew")
    return predictor


def save_shape_predictor(predictor: ShapePredictor, path: Path) -> None:
    """Writes the arrays, with the smallest integer types that hold them."""
    arrays = {field.name: getattr(predictor, field.name) for field in fields(predictor)}
    arrays["anchors"], arrays["splits"] = arrays["anchors"].astype(np.uint8), arrays["splits"].astype(np.uint16)
    np.savez(path, **arrays)


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
    return all(shapes) and int(one.anchors.max()) < points and int(one.splits.max()) < pixels
