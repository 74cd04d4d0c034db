"""The film on the terminal."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path

import cv2
import pytest
from rich.console import Console

from faceedge.demo import clip, preview, script


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25, clip.SIZE)
    for frame in islice(clip.frames(), 30):
        writer.write(frame)
    writer.release()
    return path


def terminal(width: int = 100, colours: str | None = "truecolor") -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=colours, width=width, height=40)  # type: ignore[arg-type]


def test_it_shows_a_picture_now_and_then_until_the_film_is_over(film: Path) -> None:
    moments = iter((0.0, 0.0, 0.01, 0.4, 0.5, 1.0, 5.0))
    console = terminal()
    assert isinstance(console.file, io.StringIO)
    sizes = []
    with preview.Preview(console, film, script.timeline(), lambda: next(moments)) as shown:
        for _ in range(6):
            shown.tick()
            sizes.append(console.file.getvalue().count("▀") // (preview.COLUMNS * preview.ROWS))
    assert sizes == [1, 1, 2, 2, 3, 3]


def test_it_says_whether_the_door_is_open(film: Path) -> None:
    console = terminal()
    assert isinstance(console.file, io.StringIO)
    with preview.Preview(console, film, script.timeline(), lambda: 0.0) as shown:
        shown.tick()
        assert "shut" in console.file.getvalue()
        assert "OPEN" not in console.file.getvalue()
    with preview.Preview(console, film, script.timeline(), lambda: 0.0) as shown:
        shown.door_is_open = True
        shown.tick()
        assert "OPEN" in console.file.getvalue()


def test_it_needs_room_and_colours() -> None:
    assert preview.suits(terminal())
    assert not preview.suits(terminal(width=60))
    assert not preview.suits(terminal(colours=None))
    assert not preview.suits(Console(file=io.StringIO()))
