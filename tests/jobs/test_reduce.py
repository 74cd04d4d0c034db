"""Searching very large photos at reduced size."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.jobs import reduce
from faceedge.jobs.reduce import enlarged, reduced
from faceedge.types import Face


def test_a_photo_of_bearable_size_is_searched_as_it_is() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    small, factor = reduced(image)
    assert small is image
    assert factor == 1


@pytest.mark.parametrize("shape", [(400, 600), (2_000, 50), (317, 911)])
def test_a_larger_one_is_brought_below_the_limit(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce, "SEARCHED_PIXELS", 10_000)
    small, factor = reduced(np.zeros((*shape, 3), np.uint8))
    assert small.shape[0] * small.shape[1] <= 10_000
    assert small.shape[0] * factor == pytest.approx(shape[0], abs=factor)
    assert small.shape[1] * factor == pytest.approx(shape[1], abs=factor)


def test_what_is_found_is_told_in_pixels_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce, "SEARCHED_PIXELS", 10_000)
    image = np.zeros((400, 400, 3), np.uint8)
    image[100:300, 200:360] = 255
    small, factor = reduced(image)
    y, x = np.nonzero(small[:, :, 0] > 127)
    box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], np.float32)
    face = enlarged(Face(box, 0.9, np.tile(box[:2], (5, 1))), factor)
    assert np.allclose(face.box, [200, 100, 360, 300], atol=factor)
    assert np.allclose(face.landmarks, [200, 100], atol=factor)
    assert face.score == 0.9
