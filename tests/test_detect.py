"""The detection stage: which frames share a batch, and whose faces are whose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from faceedge.backends.base import Memory, Tensor, TensorSpec
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.detect import Detector
from faceedge.families import FAMILIES
from faceedge.types import Image
from tests.families import made_up
from tests.families.made_up import BOX, manifest, say, silence


class Pointing:
    """An engine that sees a face wherever the frame's first pixel is not black, and notes its batches."""

    device = "cpu"
    outputs: tuple[TensorSpec, ...] = ()
    memory = Memory(0, 0)

    def __init__(self, family: str, max_batch: int) -> None:
        self.inputs = (TensorSpec("input", "float32", (-1, 3, -1, -1)),)
        self.max_batch = max_batch
        self.batches: list[tuple[int, ...]] = []
        self._family = family

    def infer(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = arrays["input"]
        self.batches.append(batch.shape)
        canvas = FAMILIES[self._family](manifest(self._family)).canvas(*batch.shape[2:])
        outputs = silence(self._family, canvas, len(batch))
        for image in np.flatnonzero(batch[:, 0, 0, 0]):
            say(self._family, outputs, canvas, 0.9, image=int(image))
        return dict(outputs)

    def trim(self) -> None: ...

    def close(self) -> None: ...


def frame(height: int, width: int, has_face: bool) -> Image:
    return np.full((height, width, 3), 200 * has_face, np.uint8)


@pytest.mark.parametrize("family", made_up.FAMILIES)
def test_frames_of_equal_canvases_share_batches_and_keep_their_own_faces(family: str) -> None:
    engine = Pointing(family, max_batch=2)
    asked = manifest(family)
    stage = Detector(engine, FAMILIES[family](asked), CpuPreprocessor(), asked.normalisation)
    shapes = [(320, 320), (640, 320), (320, 320), (320, 320), (640, 320)]
    faces = [True, False, False, True, True]
    found = stage.detect([frame(*shape, face) for shape, face in zip(shapes, faces, strict=True)])
    assert [len(one) for one in found] == faces
    assert engine.batches == [(2, 3, 320, 320), (1, 3, 320, 320), (2, 3, 320, 160)]
    np.testing.assert_allclose(found[0][0].box, BOX, atol=1e-3)
    np.testing.assert_allclose(found[4][0].box, np.array(BOX) * 2, atol=1e-3)


def test_no_frames_are_no_work() -> None:
    engine = Pointing("yunet", max_batch=2)
    asked = manifest("yunet")
    assert Detector(engine, FAMILIES["yunet"](asked), CpuPreprocessor(), asked.normalisation).detect([]) == []
    assert engine.batches == []
