"""What dlib itself finds (made by make_dlib.py), and where the photos lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.types import Floats, Image

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, eq=False)
class GoldenFace:
    """box: float32 (4,), x1 y1 the first px outside (dlib's last px inside plus one). embedding: raw, or None."""

    box: Floats
    confidence: float
    landmarks: Floats
    embedding: Floats | None


def golden(*kinds: str) -> dict[str, list[GoldenFace]]:
    """dlib's faces by photo, of the photos whose name begins with one of `kinds` (`library/`, `dev/`)."""
    photos = json.loads((HERE / "dlib.json").read_text(encoding="utf-8"))
    return {
        name: [_face(one) for one in photo["faces"]] for name, photo in photos.items() if name.startswith(kinds or "")
    }


def photo(name: str, assets: Path | None = None) -> Image:
    """The picture behind a golden name; skips when the library that ships it is absent."""
    kind, _, rest = name.partition("/")
    path = _in_library(rest) if kind == "library" else assets / "data" / "dev" / rest if assets else None
    image = cv2.imread(str(path)) if path is not None else None
    if image is None:
        pytest.skip(f"{name} is not here")
    return np.asarray(image, np.uint8)


def _in_library(name: str) -> Path:
    package, _, rest = name.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed; install the extra demo")
    return Path(spec.origin).parent / rest


def _face(one: dict[str, list[float]]) -> GoldenFace:
    box = np.array(one["box"], np.float32) + np.array([0, 0, 1, 1], np.float32)
    embedding = np.array(one["embedding"], np.float32) if "embedding" in one else None
    return GoldenFace(box, float(one["confidence"]), np.array(one["landmarks"], np.float32), embedding)  # type: ignore[arg-type]
