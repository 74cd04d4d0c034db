"""What counts as change between two crops: not a flat picture that is moved, lit or noisy, but a face that moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceedge.motion import JUMP, MIXED, STILL, change, look, mixed
from faceedge.types import Image


def crop(seed: int) -> Image:
    """Soft shapes, as different from one seed to another as two photos."""
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 9, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC), np.uint8)


def moved(image: Image, degrees: float, scale: float, right: float, down: float) -> Image:
    matrix = cv2.getRotationMatrix2D((56, 56), degrees, scale)
    matrix[:, 2] += right, down
    return np.asarray(cv2.warpAffine(image, matrix, (112, 112), borderMode=cv2.BORDER_REFLECT), np.uint8)


def noisy(image: Image, sigma: float = 5.0) -> Image:
    loud = np.clip(image + np.random.default_rng(5).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", loud, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 1), np.uint8)


def bent(image: Image, px: float) -> Image:
    """Parts of the picture move against each other, as those of a face do."""
    down, right = np.mgrid[0:112, 0:112].astype(np.float32)
    return np.asarray(cv2.remap(image, right + np.float32(px) * np.sin(down / 9), down, cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize("seed", range(4))
def test_a_flat_picture_that_is_moved_lit_and_noisy_is_the_same_picture(seed: int) -> None:
    held = noisy(np.asarray(np.clip(moved(crop(seed), 2, 1.02, 1.0, -0.8) * 0.8 + 12, 0, 255), np.uint8))
    assert change(look(crop(seed)), look(held)) < STILL


@pytest.mark.parametrize("seed", range(4))
def test_what_moves_against_itself_has_changed(seed: int) -> None:
    assert STILL < change(look(crop(seed)), look(bent(crop(seed), 3.0))) < JUMP


@pytest.mark.parametrize("seed", range(4))
def test_another_picture_is_a_jump(seed: int) -> None:
    assert change(look(crop(seed)), look(crop(seed + 100))) > JUMP


def test_a_cross_fade_is_explained_by_what_is_before_and_after_it_and_movement_is_not() -> None:
    before, after = look(crop(1)), look(bent(crop(1), 4.0))
    faded, between = look(cv2.addWeighted(crop(1), 0.5, bent(crop(1), 4.0), 0.5, 0).astype(np.uint8)), look(crop(2))
    assert mixed(before, faded, after) < MIXED * min(change(before, faded), change(after, faded)) + 0.01
    assert mixed(before, between, after) > MIXED * min(change(before, between), change(after, between))


def test_a_crop_of_one_colour_shows_no_change_and_no_fault() -> None:
    flat = look(np.full((112, 112, 3), 90, np.uint8))
    assert change(flat, flat) == pytest.approx(0, abs=1e-6)
    assert np.isfinite(change(flat, look(crop(1))))
