"""A running daemon does less when memory is short, says so once, and more again; a film is looked at as ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge import house as houses
from faceedge.config import Config
from faceedge.daemon import Daemon
from faceedge.errors import NoMemory
from faceedge.health.pressure import Pressure
from faceedge.journal.reading import entries, reading
from faceedge.types import Face, Image
from tests.test_daemon_capture import FakeNetworks

SHORT = Pressure(0.85, "cgroup 85 %")


class Networks(FakeNetworks):
    """fails: the detector's next answers are that there is no memory. pause_s: before each. trims: how often memory was
    asked back."""

    def __init__(self) -> None:
        self.fails = self.trims = 0
        self.pause_s = 0.0

    @property
    def detector(self) -> Networks:
        return self

    def trim(self) -> None:
        self.trims += 1

    def detect(self, images: Sequence[Image], scale: float = 1.0) -> list[list[Face]]:
        if self.fails:
            self.fails -= 1
            raise NoMemory("no")
        time.sleep(self.pause_s)
        return super().detect(images, scale)


class Stage:
    """A daemon with pictures, and memory that is as short as a test says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.told = folder, list[dict[str, Any]]()
        self.networks = Networks()
        self.pressure: Pressure | None = SHORT
        monkeypatch.setattr(houses, "open_vision", lambda *_args, **_more: self.networks)
        monkeypatch.setattr(houses, "PressureGauge", lambda: self)
        picture = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
        (folder / "entry").mkdir()
        cv2.imwrite(str(folder / "entry" / "0.png"), picture)

    def read(self) -> Pressure | None:
        return self.pressure

    def daemon(self, *, once: bool) -> Daemon:
        camera = {"name": "entry", "uri": f"images:{self.folder / 'entry'}", "loop": not once}
        config = Config.model_validate({"camera": [camera], "batch": {"max": 8}, "health": {"telemetry": "off"}})
        return Daemon(config, self.folder / "state", self.folder, self.told.append, once=once)

    def run_until(self, happened: Callable[[], bool]) -> None:
        daemon = self.daemon(once=False)
        thread = threading.Thread(target=daemon.run)
        thread.start()
        ends = time.monotonic() + 10
        while not happened() and time.monotonic() < ends:
            time.sleep(0.01)
        daemon.stop()
        thread.join()
        assert happened()

    def steps(self) -> list[dict[str, Any]]:
        return [event for event in self.told if event["event"] == "governor"]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_a_step_reaches_engines_listeners_journal_and_counters(stage: Stage) -> None:
    stage.run_until(lambda: bool(stage.steps()))
    step = stage.steps()[0]
    assert (step["step"], step["less"], step["why"], step["batch"]) == ("batch", True, "cgroup 85 %", 4)
    assert stage.networks.trims == len(stage.steps())
    with reading(stage.folder / "state" / "journal.db") as connection:
        kept = [entry.body for entry in entries(connection) if entry.draft.kind == "governor"]
    assert [{"event": "governor", **body} for body in kept] == stage.steps()
    assert stage.told[-1]["counters"]["governor_less_batch"] == len(kept)


def test_an_engine_without_memory_halves_the_batch_at_once(stage: Stage) -> None:
    stage.pressure = None
    stage.networks.fails = 1
    stage.run_until(lambda: bool(stage.steps()))
    assert [(step["batch"], step["why"]) for step in stage.steps()] == [(4, "an engine got no memory")]


def test_a_film_is_looked_at_in_the_same_way_however_short_memory_is(stage: Stage) -> None:
    stage.networks.pause_s = 0.2
    assert stage.daemon(once=True).run() == 0
    assert stage.steps() == []
