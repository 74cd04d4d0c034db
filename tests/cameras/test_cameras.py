"""Every source that can run here gives pictures to its end; what is no source is refused in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceedge.cameras import Camera, is_live, open_camera
from faceedge.cameras.stream import ClipCamera
from faceedge.errors import CameraError


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve grey pictures of rising brightness at 10 fps."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(12):
        writer.write(np.full((48, 64, 3), level * 20, np.uint8))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures and a file that is none."""
    place = tmp_path / "photos"
    place.mkdir()
    for number in (2, 1, 3):
        cv2.imwrite(str(place / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    (place / "broken.jpg").write_bytes(b"no picture")
    (place / "notes.txt").write_text("not read")
    return place


def levels(camera: Camera) -> list[int]:
    seen = []
    while (picture := camera.read()) is not None:
        seen.append(round(float(picture.mean())))
    return seen


@pytest.mark.parametrize("form", ["file:{}", "{}"])
def test_a_clip_gives_every_picture_and_its_rate(clip: Path, form: str) -> None:
    camera = open_camera(form.format(clip))
    assert camera.fps == pytest.approx(10)
    assert levels(camera) == pytest.approx([level * 20 for level in range(12)], abs=2)
    camera.close()
    camera.close()


def test_a_folder_plays_its_pictures_by_name_and_passes_over_broken_ones(folder: Path) -> None:
    camera = open_camera(f"images:{folder}")
    assert levels(camera) == [1, 2, 3]
    assert camera.read() is None
    camera.close()


@pytest.mark.parametrize("uri", ["file:/nowhere/clip.mp4", "images:/nowhere", "clip.mp4"])
def test_a_source_that_is_not_there_is_named_with_the_way_out(uri: str) -> None:
    with pytest.raises(CameraError) as caught:
        open_camera(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("uri", "live"),
    [
        ("0", True),
        ("/dev/video2", True),
        ("csi:1", True),
        ("RTSP://porch/1", True),
        ("file:a", False),
        ("foo:bar", False),
    ],
)
def test_only_devices_and_network_cameras_may_be_away_for_a_while(uri: str, live: bool) -> None:
    assert is_live(uri) == live


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(CameraError, match="not a video"):
        open_camera(str(path))


@pytest.mark.parametrize("uri", ["rtmp://admin:hunter2@host/s", "rtsp//a:hunter2@h", "csi:admin:hunter2@h"])
def test_a_misspelt_address_does_not_give_its_password_away(uri: str) -> None:
    with pytest.raises(CameraError) as caught:
        open_camera(uri)
    assert "hunter2" not in str(caught.value)


class OddSource:
    """OpenCV's reader of a clip that claims an odd rate."""

    def __init__(self, fps: float = 0.0) -> None:
        self.fps = fps

    def isOpened(self) -> bool:
        return True

    def get(self, _: int) -> float:
        return self.fps


@pytest.mark.parametrize("claimed", [0.0, float("nan"), 1000.0, 90000.0])
def test_a_rate_that_no_film_has_is_replaced_by_a_common_one(claimed: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: OddSource(claimed))
    assert ClipCamera(Path("clip.webm")).fps == 25.0
