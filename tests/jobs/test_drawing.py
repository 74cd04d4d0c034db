"""Painted photos and contact sheets."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.errors import BadInput
from faceedge.jobs import drawing
from faceedge.jobs.drawing import AMBER, GREEN, RED, check_target, fit, paint, sheet, write_png
from tests.fakes.vision import FakeVision, Sitter, photo


@pytest.mark.parametrize(("quality", "colour"), [(0.9, GREEN), (0.5, AMBER), (0.2, RED)])
def test_the_colour_of_a_box_tells_the_quality(quality: float, colour: tuple[int, int, int]) -> None:
    image = photo(Sitter(1, quality=quality))
    before = image.copy()
    painted = paint(image, FakeVision().portraits(image))
    assert (painted[20:, 0] == colour).all()
    assert np.array_equal(image, before), "the photo itself stays as it is"


def test_a_small_picture_is_never_enlarged_and_a_thin_one_never_vanishes() -> None:
    assert fit(np.zeros((30, 40, 3), np.uint8), 480).shape == (30, 40, 3)
    assert fit(np.zeros((1, 5000, 3), np.uint8), 480).shape == (1, 480, 3)


def test_a_sheet_shows_every_picture_once() -> None:
    tiles = [(f"{number}.jpg", np.full((100, 200, 3), 10 * number + 60, np.uint8)) for number in range(5)]
    page = sheet(tiles, side_px=100)
    assert page.shape == (2 * (100 + drawing.CAPTION_PX), 300, 3)
    for _, tile in tiles:
        assert (page == tile[0, 0]).all(axis=2).sum() >= 100 * 50


def test_a_picture_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"older")
    write_png(path, np.zeros((4, 5, 3), np.uint8))
    assert cv2.imread(str(path)).shape == (4, 5, 3)
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("out.jpg", "name a file that ends in .png"), ("nowhere/out.png", "there is no folder"), ("in.png", "one of the")],
)
def test_a_target_that_cannot_be_is_refused_before_the_work(tmp_path: Path, name: str, said: str) -> None:
    photos = [tmp_path / "in.png"]
    photos[0].touch()
    with pytest.raises(BadInput, match=said):
        check_target(tmp_path / name, photos)


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    (tmp_path / "sub.png").mkdir()
    with pytest.raises(BadInput, match="is not a file"):
        check_target(tmp_path / "sub.png", [])


def test_a_target_that_cannot_be_looked_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no folder"):
        check_target(tmp_path / ("a" * 10_000) / "out.png", [])


def test_letters_lie_on_their_outline_to_the_last() -> None:
    canvas = np.full((60, 900, 3), 255, np.uint8)
    drawing._write(canvas, "0.00 turned away, too dark", (10, 40), 0.65, RED)
    dark = (canvas.max(axis=2) < 100).any(axis=0).nonzero()[0].max()
    red = (canvas[:, :, 2].astype(int) - canvas[:, :, 0] > 100).any(axis=0).nonzero()[0].max()
    assert abs(dark - red) <= 4
