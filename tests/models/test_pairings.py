"""A detector of one landmark scheme feeds a recogniser of another: the measured templates hold on real faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceedge.config import EngineSettings, Models
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.vision import Vision
from faceedge.models.store import make_package
from faceedge.types import Floats, Image
from tests.golden import golden, photo

PHOTOS = [name for name in golden("dev/faces/", "dev/lfw/") if golden(name)[name]]


@pytest.fixture(scope="module")
def state(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with YuNet and EdgeFace."""
    folder = tmp_path_factory.mktemp("state")
    make_package(assets / "models" / "yunet_n.onnx", "yunet", folder / "models")
    make_package(assets / "models" / "edgeface_xxs_512.onnx", "edgeface-xxs", folder / "models")
    return folder


def opened(detector: str, recognizer: str, state: Path, default_models: Path) -> Vision:
    chosen = Models(detector=detector, recognizer=recognizer)
    return open_vision(chosen, EngineSettings(threads=1), state, default_models.parent)


def largest(vision: Vision, image: Image) -> Floats:
    template = vision.portraits(image)[0].template
    return template.embedding * template.norm


@pytest.mark.assets
@pytest.mark.system
def test_yunet_feeds_the_resnet_of_dlib(assets: Path, state: Path, default_models: Path) -> None:
    with opened("yunet", "dlib-resnet", state, default_models) as vision:
        for name in PHOTOS:
            native = golden(name)[name][0].embedding
            # dlib calls two photos one person below 0.6; the same photo by two detectors is far nearer.
            assert np.linalg.norm(largest(vision, photo(name, assets)) - native) < 0.45


@pytest.mark.assets
@pytest.mark.system
def test_mmod_feeds_a_recogniser_of_arcface_crops(assets: Path, state: Path, default_models: Path) -> None:
    with (
        opened("yunet", "edgeface-xxs", state, default_models) as native,
        opened("dlib-mmod", "edgeface-xxs", state, default_models) as mapped,
    ):
        for name in PHOTOS:
            image = photo(name, assets)
            one, two = largest(native, image), largest(mapped, image)
            similarity = float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))
            assert similarity > native.thresholds.match
