"""A daemon with made-up networks, from pictures to captured crops: off it leaves none, on it says so and counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge import house as houses
from faceedge.config import Config, EngineSettings
from faceedge.daemon import Daemon
from faceedge.gallery.base import Origin
from faceedge.gallery.captured import Kept
from faceedge.gallery.rows import png_to_crop
from faceedge.gallery.store import Gallery
from faceedge.jobs.engines import OnnxEngines
from faceedge.journal.reading import entries, reading
from faceedge.types import Assessment, Face, Image, Template
from tests.fakes.vision import FakeVision, Sitter, template

ADA, STRANGER = 1, 2


class FakeNetworks(FakeVision):
    """One face fills every picture; the red of its first pixel says whose it is, the blue how good the picture is."""

    alignment = "arcface_112"
    notices = ()
    most = 64
    opener = OnnxEngines(EngineSettings())

    @property
    def detector(self) -> FakeNetworks:
        return self

    @property
    def recognizer(self) -> FakeNetworks:
        return self

    def prove(self, width: int, height: int) -> None:
        """They always answer."""

    def renew(self, role: str) -> None:
        """They never fail."""

    def trim(self) -> None:
        """They hold nothing."""

    close = tidy = tidy_detection = trim

    def detect(self, images: Sequence[Image], scale: float = 1.0) -> list[list[Face]]:
        return [[Face(np.array([0, 0, 112, 112], np.float32), 0.9, np.zeros((5, 2), np.float32))] for _ in images]

    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        return [image.copy() for _ in faces]

    def assess(self, image: Image, faces: Sequence[Face], crops: Sequence[Image]) -> list[Assessment]:
        return [Assessment(int(crop[0, 0, 0]) / 255) for crop in crops]

    def settled(self, before: Sequence[Assessment], templates: Sequence[Template]) -> list[Assessment]:
        return list(before)

    def embed(self, crops: Sequence[Image]) -> list[Template]:
        return [template(Sitter(int(crop[0, 0, 2]), int(crop[0, 0, 1]))) for crop in crops]


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(houses, "open_vision", lambda *_args, **_more: FakeNetworks())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Ada is enrolled; a stranger and then Ada walk by, and somebody whose picture is too poor to be recognised."""
    state = tmp_path / "state"
    with Gallery.open(state) as gallery:
        ada = gallery.add_person("Ada")
        gallery.add_template(ada.id, template(Sitter(ADA, 99)), Origin(0.9, "photo", "fake0build00"))
    for camera, shown, quality in (("entry", STRANGER, 180), ("yard", ADA, 230), ("gate", STRANGER, 50)):
        folder = tmp_path / camera
        folder.mkdir()
        for number in range(6):
            picture = np.random.default_rng((shown, number)).integers(0, 255, (112, 112, 3), np.uint8)
            picture[0, 0] = (quality, number, shown)
            cv2.imwrite(str(folder / f"{number}.png"), picture)
    return state


def run(state: Path, **capture: Any) -> tuple[Daemon, list[dict[str, Any]]]:
    cameras = [{"name": name, "uri": f"images:{state.parent / name}"} for name in ("entry", "yard", "gate")]
    told: list[dict[str, Any]] = []
    config = Config.model_validate({"camera": cameras, "capture": capture})
    daemon = Daemon(config, state, state, told.append, once=True)
    assert daemon.run() == 0
    return daemon, told


def kept(state: Path) -> list[Kept]:
    with Gallery.open(state) as gallery:
        return gallery.captured.kept()


def test_as_delivered_a_daemon_keeps_no_crop_of_anybody(state: Path) -> None:
    daemon, told = run(state)
    assert [event["event"] for event in told].count("decision") == 3
    assert kept(state) == []
    assert daemon._house.report.state()["capture"] == {"on": False}


def test_with_capture_on_who_was_recognised_is_kept_sealed_and_counted(state: Path) -> None:
    daemon, told = run(state, on=True)
    rows = kept(state)
    with Gallery.open(state) as gallery:
        (ada,) = gallery.people()
        shown = {one.person: png_to_crop(gallery.captured.png(one) or b"") for one in rows}
    assert [len(rows), set(shown)] == [2, {None, ada.id}], "the poor picture was not recognised"
    for person, camera in ((ada.id, "yard"), (None, "entry")):
        pictures = [cv2.imread(str(file)) for file in (state.parent / camera).iterdir()]
        assert any(np.array_equal(shown[person], picture) for picture in pictures)
    assert {one.build for one in rows} == {"fake0build00"}
    assert daemon._house.report.state()["capture"] == {"on": True, "crops": 2, "dropped": 0, "days": 30}
    assert "capture" not in {event["event"] for event in told}


def test_switching_it_on_is_a_change_that_the_journal_tells(state: Path) -> None:
    run(state)
    run(state, on=True, days=7)
    with reading(state / "journal.db") as connection:
        changed = [entry.body for entry in entries(connection, "kind = 'change'")]
        ends = [entry.draft.kind for entry in entries(connection)][-2:]
    after = {"crops": 2000, "days": 7, "every_s": 60, "strangers": True}
    assert changed == [{"what": "capture", "before": None, "after": after}]
    assert ends == ["stop", "checkpoint"]
