"""A running daemon, real networks, real photos: the recogniser before as a second opinion, and a worse one on trial."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.scenes import SIZE, Sitter, background, put, sitters
from faceedge.config import Config, EngineSettings, Models, cache_dir
from faceedge.daemon import Daemon
from faceedge.gallery.store import Gallery
from faceedge.jobs import choose_model
from faceedge.jobs.enroll import Wish, enroll
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.swap import Order
from faceedge.jobs.swap_line import Progress, ask, follow, is_running
from faceedge.models.active import Standing, stand, standing
from faceedge.models.store import make_package

pytestmark = [pytest.mark.assets, pytest.mark.system, pytest.mark.timeout(240)]

PEOPLE = 3
AWAY, STAYS, FPS, FACE_PX = 12, 22, 12, 120
WAIT_S = 60.0
BIAS = 100.0
"""Added to every number of a worse network's answer."""


@dataclass
class Door:
    """A daemon in a thread, without a door. ids: of who is enrolled; the first one without a picture."""

    state: Path
    config: Config
    ids: list[str]
    told: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.daemon = Daemon(self.config, self.state, cache_dir(), self.told.append)
        self.thread = threading.Thread(target=self.daemon.run, name="door")

    def __enter__(self) -> Door:
        self.thread.start()
        self.until(lambda: is_running(self.state) and any(e["event"] == "ready" for e in self.told))
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.stop()
        self.thread.join(30)

    def until(self, found: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_S
        while not found():
            assert time.monotonic() < end, self.told[-20:]
            assert self.thread.is_alive()
            time.sleep(0.1)

    def order(self, **wish: Any) -> Progress:
        name = ask(Order("recognizer", **wish), self.state)
        return follow(name, self.state, lambda _progress: None)

    def granted(self) -> set[str]:
        return {e["person"] for e in self.told if e["event"] == "decision" and e["outcome"] == "grant"}

    def everybody_is_let_in(self) -> None:
        """From now on, each once."""
        del self.told[:]
        self.until(lambda: self.granted() == set(self.ids))


def film(path: Path, people: list[Sitter]) -> Path:
    rng = np.random.default_rng(3)
    scenery = background(rng)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    for sitter in people:
        photo = np.asarray(cv2.imread(str(sitter.path)), np.uint8)
        for _ in range(AWAY):
            writer.write(scenery)
        for number in range(STAYS):
            middle = (SIZE[0] / 2 + 12 * np.sin(number / 3), SIZE[1] / 2 + 5 * np.cos(number / 4))
            writer.write(put(scenery, photo, sitter.box, middle, FACE_PX))
    writer.release()
    return path


def spoiled(graph: Path, path: Path) -> Path:
    """The same network, for which all faces look nearly alike: everybody is somebody, and nobody in particular."""
    model = onnx.load(graph)
    name = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = [f"{name} before" if output == name else output for output in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.full(1, BIAS, np.float32), "bias"))
    model.graph.node.append(onnx.helper.make_node("Add", [f"{name} before", "bias"], [name]))
    onnx.save(model, path)
    return path


@pytest.fixture
def door(assets: Path, tmp_path: Path) -> Iterator[Door]:
    state, networks = tmp_path / "state", assets / "models"
    made = {
        "yunet": networks / "yunet_n.onnx", "edgeface-xxs": networks / "edgeface_xxs_512.onnx",
        "edgeface-xs": spoiled(networks / "edgeface_xs_512.onnx", tmp_path / "worse.onnx"),
    }  # fmt: skip
    for name, graph in made.items():
        make_package(graph, name, state / "models")
    stand("detector", Standing(active="yunet@n"), state)
    stand("recognizer", Standing(active="edgeface-xxs@1"), state)
    people = [photos for _, photos in sorted(sitters(assets / "data" / "dev").items())][:PEOPLE]
    models = Models(detector="yunet", recognizer="edgeface-xxs")
    with open_vision(models, EngineSettings(), state, cache_dir()) as vision, Gallery.open(state) as gallery:
        ids = [
            enroll(
                gallery, vision, Wish(one[0].person, tuple(photo.path for photo in one[1:3]), keep_crops=number > 0)
            ).person.id
            for number, one in enumerate(people)
        ]  # fmt: skip
    clip = film(tmp_path / "film.avi", [photos[0] for photos in people])
    config = Config.model_validate(
        {
            "camera": [{"uri": f"file:{clip}", "loop": True}],
            "decide": {"cooldown_s": 1, "motion": False},
            "state_dir": str(state),
        }
    )
    with Door(state, config, ids) as running:
        yield running


def test_who_only_the_recogniser_before_knows_is_let_in_by_it_and_after_the_way_back_everybody_is(
    door: Door, assets: Path
) -> None:
    make_package(assets / "models" / "mobileface_v2_256.onnx", "mobileface-v2", door.state / "models")
    door.everybody_is_let_in()
    refused = door.order(name="mobileface-v2")
    assert not refused.ok
    assert "--dual" in refused.why
    done = door.order(name="mobileface-v2", dual=True)
    assert (done.ok, done.outcome["embedded"], done.outcome["unknown"]) == (True, PEOPLE - 1, 1), done
    door.everybody_is_let_in()
    assert door.order().ok
    door.everybody_is_let_in()
    assert standing("recognizer", door.state) == Standing(active="edgeface-xxs@1", previous="mobileface-v2@1")


def test_a_worse_recogniser_is_refused_and_forced_in_as_a_canary_taken_back_and_nobody_wrong_was_let_in(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = door.order(name="edgeface-xs", canary=1.0, agreed=True)
    assert (refused.ok, refused.step) == (False, "verify")
    monkeypatch.setattr(choose_model, "check_photo", lambda *_, **__: None)
    tried = door.order(name="edgeface-xs", canary=1.0, agreed=True)
    assert not tried.ok
    assert standing("recognizer", door.state).active == "edgeface-xxs@1"
    shown = tried.outcome["report"]["canary"]
    assert shown["against"]
    assert shown["shots"]["all"] > 0
    assert door.granted() <= set(door.ids)
    door.everybody_is_let_in()
