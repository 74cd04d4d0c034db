"""With the default networks: a burst from the demo's clip, and a daemon that never learns from what it recognises."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from faceedge.__main__ import main
from faceedge.config import Config, cache_dir
from faceedge.daemon import Daemon
from faceedge.demo.clip import cached
from faceedge.demo.photos import astronaut_path
from faceedge.demo.stand import FILM
from faceedge.gallery.store import Gallery

FIRST, LAST = 80, 125
"""Frames in which the astronaut stands before the door."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default_models: Path) -> Path:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    return tmp_path / "state"


@pytest.mark.system
def test_a_person_is_enrolled_from_a_clip(state: Path) -> None:
    clip, _ = cached(cache_dir())
    assert main(["enroll", "Astronaut", "--camera", f"file:{clip}", "--yes"]) == 0
    assert main(["enroll", "Astronaut", str(astronaut_path())]) == 0, "the photo shows the same person"
    with Gallery.open(state) as gallery:
        assert [(one.name, one.templates) for one in gallery.people()] == [("Astronaut", 6)]


@pytest.mark.system
def test_the_daemon_recognises_and_learns_nothing(state: Path, tmp_path: Path) -> None:
    clip, _ = cached(cache_dir())
    source, short = cv2.VideoCapture(str(clip)), tmp_path / "short.avi"
    writer = cv2.VideoWriter(str(short), cv2.VideoWriter.fourcc(*"MJPG"), 25, (480, 270))
    for seq in range(LAST):
        image = source.read()[1]
        if seq >= FIRST:
            writer.write(image)
    writer.release()
    assert main(["enroll", "Astronaut", str(astronaut_path())]) == 0
    with Gallery.open(state) as gallery:
        before = gallery.changes()
    events: list[dict[str, object]] = []
    config = Config.model_validate({"camera": [{"uri": f"file:{short}"}], **FILM})
    assert Daemon(config, state, cache_dir(), events.append, once=True).run() == 0
    assert any(one["event"] == "decision" and one["person"] for one in events), "somebody was recognised"
    with Gallery.open(state) as gallery:
        assert gallery.changes() == before
        assert [person.templates for person in gallery.people()] == [1]
