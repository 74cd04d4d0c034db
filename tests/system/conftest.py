"""What several system tests share: a broker of their own, and a film of somebody who stands at the door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from faceedge.config import cache_dir
from faceedge.demo.clip import cached
from faceedge.demo.script import timeline
from faceedge.door.broker import LocalBroker, local_broker


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seconds of the demo clip in which the astronaut stands at the door, to be looped."""
    clip, _ = cached(cache_dir())
    scene = next(scene for scene in timeline().scenes if scene.expect == "open")
    source, path = cv2.VideoCapture(str(clip)), tmp_path_factory.mktemp("clip") / "standing.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (480, 270))
    for seq in range(scene.start + 80):
        good, image = source.read()
        assert good
        if seq >= scene.start + 45:
            writer.write(image)
    writer.release()
    source.release()
    return path


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with local_broker(kind="mosquitto") as running:
        yield running
