"""Where frames are laid out for detectors with strides."""

from __future__ import annotations

import pytest

from faceedge.backends.base import Canvas, Level
from faceedge.families.letterbox import Letterbox
from faceedge.manifest import InputSize

FREE = Letterbox.of(InputSize(width=640, height=640))


@pytest.mark.parametrize(
    ("height", "width", "canvas"),
    [
        (480, 640, Canvas(640, 480, (Level(0, 0, 640, 480),))),
        (720, 1280, Canvas(640, 384, (Level(0, 0, 640, 360),))),
        (1280, 720, Canvas(384, 640, (Level(0, 0, 360, 640),))),
        (250, 250, Canvas(256, 256, (Level(0, 0, 250, 250),))),
        (1, 1, Canvas(32, 32, (Level(0, 0, 1, 1),))),
        (1, 20000, Canvas(640, 32, (Level(0, 0, 640, 1),))),
        (8000, 8000, Canvas(640, 640, (Level(0, 0, 640, 640),))),
    ],
)
def test_a_frame_is_shrunk_to_fit_and_padded_to_multiples_of_32(height: int, width: int, canvas: Canvas) -> None:
    assert FREE.canvas(height, width) == canvas


@pytest.mark.parametrize(("height", "width"), [(480, 640), (1000, 300), (20, 20), (3000, 4000)])
def test_a_fixed_canvas_is_always_the_same(height: int, width: int) -> None:
    canvas = Letterbox.of(InputSize(width=300, height=200, fixed=True)).canvas(height, width)
    (level,) = canvas.levels
    assert (canvas.width, canvas.height) == (300, 200)
    assert level.width <= min(300, width)
    assert level.height <= min(200, height)
    assert level.width == min(300, width) or level.height == min(200, height)
    assert level.width / level.height == pytest.approx(width / height, rel=0.02)


def test_the_largest_canvas_is_no_larger_than_the_manifest_says() -> None:
    canvas = Letterbox.of(InputSize(width=500, height=100)).canvas(4000, 4000)
    assert (canvas.width, canvas.height) == (96, 96)


def test_without_a_size_frames_end_at_640() -> None:
    assert Letterbox.of(InputSize()).canvas(1000, 1000).width == 640
