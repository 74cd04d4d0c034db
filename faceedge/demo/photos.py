"""The three photographs of the demo, which ship in scikit-image and matplotlib; neither library is imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np

from faceedge.errors import MissingExtra
from faceedge.types import Image


def astronaut_path() -> Path:
    """Eileen Collins, 512x512 PNG. Raises MissingExtra when scikit-image is absent."""
    return _shipped("skimage", "data/astronaut.png")


def cat_path() -> Path:
    """Chelsea the cat, 451x300 PNG. Raises MissingExtra when scikit-image is absent."""
    return _shipped("skimage", "data/chelsea.png")


def admiral_path() -> Path:
    """Grace Hopper, 512x600 JPEG. Raises MissingExtra when matplotlib is absent."""
    return _shipped("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


def astronaut() -> Image:
    """The person who is known, uint8 (512, 512, 3) BGR."""
    return _read(astronaut_path())


def cat() -> Image:
    """No person at all, uint8 (300, 451, 3) BGR."""
    return _read(cat_path())


def admiral() -> Image:
    """The stranger, uint8 (600, 512, 3) BGR."""
    return _read(admiral_path())


def _shipped(library: str, name: str) -> Path:
    # The spec of a top-level package is found without running any of it.
    spec = importlib.util.find_spec(library)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root) / name
        if path.is_file():
            return path
    raise MissingExtra(f'the demo\'s photo {Path(name).name} comes with {library}; run: pip install "faceedge[demo]"')


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise MissingExtra(f'{path}: does not decode; run: pip install --force-reinstall "faceedge[demo]"')
    return np.asarray(image, np.uint8)
