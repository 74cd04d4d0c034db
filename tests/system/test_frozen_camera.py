"""A daemon whose camera stands still, or plays a film, while somebody it knows is to be seen: no door opens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceedge import house as houses
from faceedge import lookout
from faceedge.cameras.base import Picture
from faceedge.cameras.watch import FROZEN, REPLAY, STILL_S
from faceedge.config import Config
from faceedge.daemon import Daemon
from faceedge.gallery.base import Origin
from faceedge.gallery.store import Gallery
from faceedge.types import Decision, Evidence, Image
from tests.door.running import until
from tests.fakes.vision import Sitter, template
from tests.system.failure_table import Row, executes
from tests.test_daemon_capture import FakeNetworks
from tests.test_daemon_metrics import running

pytestmark = pytest.mark.system

ADA, FPS = 1, 25
FILM_S = 1.0


class HallCamera:
    """A live camera before which Ada stands all the time. It can be made to stand still, or to play a film of her."""

    fps = 0.0

    def __init__(self) -> None:
        self.mode = "live"
        self._number = 0

    def take(self, wait_s: float) -> Picture | None:
        time.sleep(min(wait_s, 1 / FPS))
        self._number += self.mode != "frozen"
        film = int(FILM_S * FPS)
        return Picture(_picture(self._number % film if self.mode == "film" else self._number), time.monotonic())

    def read(self) -> Image | None:
        return None

    def close(self) -> None:
        pass


def _picture(number: int) -> Image:
    steps = np.random.default_rng(7).integers(20, 220, (7, 7), np.uint8).repeat(16, 0).repeat(16, 1)[..., None]
    picture = (steps + np.random.default_rng(number).integers(0, 8, (112, 112, 3), np.uint8)).astype(np.uint8)
    picture[0, 0] = (230, number % 10, ADA)
    return picture


class Hall:
    """The daemon, and when it granted."""

    def __init__(self, folder: Path, camera: HallCamera) -> None:
        self.camera = camera
        self.told: list[tuple[float, dict[str, Any]]] = []
        with Gallery.open(folder) as gallery:
            self.ada = gallery.add_person("Ada")
            gallery.add_template(self.ada.id, template(Sitter(ADA, 99)), Origin(0.9, "photo", "fake0build00"))
        config = Config.model_validate({
            "camera": [{"name": "entry", "uri": "rtsp://camera.invalid/"}],
            "decide": {"cooldown_s": 0.3, "motion": False},
        })  # fmt: skip
        self.daemon = Daemon(config, folder, folder, lambda event: self.told.append((time.monotonic(), event)))

    def grants(self, since_s: float = 0.0) -> int:
        return sum(at_s >= since_s and event.get("outcome") == "grant" for at_s, event in list(self.told))

    @property
    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.daemon._house.report.state()["cameras"][0]
        return shown

    def answer_to_a_grant(self) -> tuple[str, str]:
        """What becomes of one that is decided now, from pictures that were taken before."""
        # Shots that were taken before the fault was seen may still be on their way.
        now_s = time.monotonic()
        evidence = Evidence(0.9, 0.5, 0.9, 3, 3, now_s - 0.1)
        made = self.daemon._house.recognise._permit(
            Decision("entry", 999, 0, "grant", "match", "trusted", self.ada.id, evidence, now_s + 0.5)
        )
        return made.outcome, made.reason


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    camera = HallCamera()
    monkeypatch.setattr(houses, "open_vision", lambda *_, **__: FakeNetworks())
    monkeypatch.setattr(lookout, "open_live", lambda *_: camera)
    made = Hall(tmp_path, camera)
    with running(made.daemon):
        yield made


def granted_again(hall: Hall) -> Callable[[], bool]:
    start_s = time.monotonic()
    return lambda: hall.grants(start_s) > 0


@executes("camera-frozen")
def test_a_camera_that_stands_still_opens_nothing_and_opens_again_when_its_picture_changes(
    row: Row, hall: Hall
) -> None:
    until(granted_again(hall), 15)
    assert hall.answer_to_a_grant() == ("grant", "match")
    hall.camera.mode = "frozen"
    until(lambda: hall.shown["fault"] == "frozen", STILL_S + 2)
    frozen_s = time.monotonic()
    assert hall.shown["why"] == FROZEN.why
    row.shows(*hall.answer_to_a_grant(), "state", "fault", hall.shown["fault"], "shut", hall.shown["shut"])
    time.sleep(2)
    assert hall.grants(frozen_s) == 0
    hall.camera.mode = "live"
    until(granted_again(hall), row.within_s)
    assert (hall.shown["fault"], hall.shown["shut"]) == (None, False)


@executes("camera-replay")
def test_a_film_of_somebody_known_opens_nothing_from_its_second_round_on(row: Row, hall: Hall) -> None:
    until(granted_again(hall), 15)
    hall.camera.mode = "film"
    until(lambda: hall.shown["fault"] == "replay", FILM_S + STILL_S + 3)
    found_s = time.monotonic()
    assert hall.shown["why"] == REPLAY.why
    row.shows(*hall.answer_to_a_grant(), "state", "fault", hall.shown["fault"], "shut", hall.shown["shut"])
    time.sleep(2)
    assert hall.grants(found_s) == 0
    hall.camera.mode = "live"
    until(granted_again(hall), row.within_s)
