"""A daemon that starts with no engine built decides on the fallback, and goes on by TensorRT in the middle of a film:
with dlib's networks, the real pipeline, a build in a process of its own, and the stand-in device.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faceedge.config import Config, EngineSettings, Models, cache_dir
from faceedge.daemon import Daemon
from faceedge.demo.clip import cached
from faceedge.demo.photos import astronaut
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, enroll
from faceedge.jobs.open_vision import open_vision
from faceedge.journal.reading import entries, reading
from tests.fakes.gpu import driver
from tests.fakes.gpu.fixture import StandinGpu
from tests.jobs.gpu_site import device  # noqa: F401 - a fixture

pytestmark = pytest.mark.system

SCENES = ((44, 74), (0, 12), (600, 640))
"""Of the demo clip: somebody comes near, nobody, somebody in profile."""
TIMES = 8
TIMELY = ("time", "id", "latency_ms")
"""What differs from run to run."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenes, again and again, cut to where the faces are."""
    clip, _ = cached(cache_dir())
    source, path = cv2.VideoCapture(str(clip)), tmp_path_factory.mktemp("film") / "film.avi"
    frames = []
    while len(frames) < max(end for _, end in SCENES):
        good, image = source.read()
        assert good
        frames.append(image[50:230, 100:340])
    source.release()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (240, 180))
    for _ in range(TIMES):
        for start, end in SCENES:
            for image in frames[start:end]:
                writer.write(np.ascontiguousarray(image))
    writer.release()
    return path


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A state directory in which one person is enrolled."""
    state, photo = tmp_path / "state", tmp_path / "photo.png"
    assert cv2.imwrite(str(photo), astronaut())
    settings = EngineSettings(backend="onnx")
    with Gallery.open(state) as gallery, open_vision(Models(), settings, state, cache_dir()) as vision:
        enroll(gallery, vision, Wish("Ada", (photo,)))
    return state


class Run:
    """One daemon over the whole film. The first build begins when the first decision was told, not before."""

    def __init__(self, state: Path, film: Path, backend: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._decided = threading.Event()
        config = Config.model_validate({
            "camera": [{"uri": f"file:{film}"}], "engine": {"backend": backend},
            "decide": {"cooldown_s": 0, "motion": False},
        })  # fmt: skip
        self.code = Daemon(config, state, cache_dir(), self._tell, once=True).run()

    def _tell(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if event["event"] == "decision":
            self._decided.set()
        if event["event"] == "engine" and event["done"] == "begun":
            assert self._decided.wait(60)

    @property
    def decisions(self) -> list[dict[str, Any]]:
        decided = [event for event in self.events if event["event"] == "decision"]
        return [{key: value for key, value in event.items() if key not in TIMELY} for event in decided]

    @property
    def tracks(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "track"]

    @property
    def counters(self) -> dict[str, int]:
        counted: dict[str, int] = self.events[-1]["counters"]
        return counted

    def places(self, **wanted: str) -> list[int]:
        """Where events of this kind stand."""
        return [at for at, event in enumerate(self.events) if all(event.get(key) == wanted[key] for key in wanted)]


@pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
def test_a_daemon_without_engines_switches_in_the_middle_of_a_film_and_decides_as_one_that_never_does(
    device: StandinGpu,  # noqa: F811
    house: Path,
    film: Path,
) -> None:
    plain = Run(house, film, "onnx")
    switched = Run(house, film, "auto")
    assert plain.code == switched.code == 0
    served = switched.places(event="engine", done="serves")
    decided = switched.places(event="decision")
    assert len(served) == 2, switched.events
    assert decided[0] < served[0], "the fallback decides"
    assert served[1] < decided[-1], "the engines decide as well"
    assert len(plain.decisions) > TIMES
    assert {decision["outcome"] for decision in plain.decisions} >= {"grant"}
    assert switched.decisions == plain.decisions
    assert switched.tracks == plain.tracks
    assert switched.counters == plain.counters
    assert not [name for name, count in switched.counters.items() if count and name.endswith(("faults", "dropped"))]
    with reading(house / "journal.db") as connection:
        noted = [entry.body for entry in entries(connection) if entry.draft.kind == "engine"]
    assert [(body["role"], body["done"]) for body in noted] == [("detector", "serves"), ("recognizer", "serves")]


def test_a_device_that_is_lost_ends_the_process_for_systemd_to_start_another(house: Path, film: Path) -> None:
    if reason := driver.why_not():
        pytest.skip(reason)
    config = house.parent / "door.toml"
    config.write_text(f'state_dir = "{house}"\n[[camera]]\nuri = "file:{film}"\nloop = true\n')
    lost = {"FACEEDGE_STANDIN_CUDA_FAIL": "cuEventSynchronize:700,cuCtxSynchronize:700"}
    done = subprocess.run(
        [sys.executable, "-m", "faceedge", "run", "--json", "--config", str(config)],
        env={**os.environ, **driver.child_environment("10.3.0"), **lost}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("faceedge: the CUDA device is lost")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event.get("done", event["event"]) for event in events]
    assert kinds.index("ready") < kinds.index("failed"), "it began on the fallback"
    assert "device is lost" in events[kinds.index("failed")]["why"]
