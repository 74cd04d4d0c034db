"""A smaller input of the detector: faces are still found where they are, and what cannot shrink stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.inputs import lie_in
from faceedge.detect import Detector
from faceedge.families import FAMILIES
from faceedge.families.letterbox import Letterbox
from faceedge.families.nms import overlap
from faceedge.manifest import InputSize
from faceedge.types import Image
from tests.families.made_up import manifest
from tests.families.real import detector
from tests.test_detect import Pointing

RECIPES = {"yunet_n": "yunet", "retinaface_mnet025": "retinaface", "scrfd_500m": "scrfd-500m"}


def astronaut_in(width: int, height: int) -> Image:
    """A room of this size with one face of about 200 px."""
    from faceedge.demo.photos import astronaut

    room: Image = np.full((height, width, 3), 90, np.uint8)
    photo = cv2.resize(astronaut(), (height, height))
    room[:, :height] = photo
    return room


@pytest.mark.assets
@pytest.mark.parametrize("scale", [0.75, 0.5])
@pytest.mark.parametrize("name", RECIPES)
def test_a_face_is_found_at_its_place_by_a_smaller_input(name: str, scale: float, assets: Path, tmp_path: Path) -> None:
    stage = detector(assets / "models" / f"{name}.onnx", RECIPES[name], tmp_path)
    image = astronaut_in(1280, 720)
    usual, smaller = stage.detect([image])[0][0], stage.detect([image], scale)[0][0]
    assert overlap(usual.box, smaller.box[None])[0] > 0.8
    np.testing.assert_allclose(smaller.landmarks, usual.landmarks, atol=0.08 * usual.width_px)


def test_sides_of_a_free_canvas_are_the_share_and_a_fixed_one_stays() -> None:
    free, fixed = Letterbox.of(InputSize()), Letterbox.of(InputSize(width=320, height=320, fixed=True))
    assert [(c.width, c.height) for c in (free.canvas(720, 1280, share) for share in (1.0, 0.75, 0.5))] == [
        (640, 384), (480, 288), (320, 192),
    ]  # fmt: skip
    assert fixed.canvas(720, 1280, 0.5) == fixed.canvas(720, 1280)


class Bound(Pointing):
    """An engine that was built for canvases from `least` px on."""

    def __init__(self, least: int) -> None:
        super().__init__("yunet", 4)
        self._bounds = {"input": ((1, 3, least, least), (4, 3, 640, 640))}

    def takes(self, shapes: dict[str, tuple[int, ...]]) -> bool:
        return lie_in(self._bounds, shapes)


@pytest.mark.parametrize(("least", "side"), [(160, 160), (256, 320)])
def test_what_the_engine_was_not_built_for_is_not_asked_of_it_and_that_is_said_once(
    least: int, side: int, caplog: pytest.LogCaptureFixture
) -> None:
    engine: Any = Bound(least)
    asked = manifest("yunet")
    stage = Detector(engine, FAMILIES["yunet"](asked), CpuPreprocessor(), asked.normalisation)
    for _ in range(2):
        stage.detect([np.zeros((320, 320, 3), np.uint8)], 0.5)
    assert engine.batches == [(1, 3, side, side)] * 2
    assert len(caplog.records) == (side == 320)
