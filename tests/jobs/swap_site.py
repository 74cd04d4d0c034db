"""A state directory with small networks that may serve, and a host that does as it is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from faceedge.config import EngineSettings, Models
from faceedge.errors import EngineError
from faceedge.gallery.base import Levels
from faceedge.health.starts import Moment
from faceedge.jobs import choose_model
from faceedge.jobs.engines import OnnxEngines
from faceedge.jobs.site import Site
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.models.store import find_package, make_package
from faceedge.package import Package
from tests.fakes.small_networks import crop_network, yunet_network

OLD, NEW, DETECTOR = "edgeface-xxs@1", "edgeface-xs@1", "yunet@n"
START = Moment("boot", 1000.0)


def make_site(folder: Path) -> Site:
    """Two recognisers and a detector, of made-up weights; the detector and the first recogniser are activated."""
    from faceedge.models.active import Standing, stand

    state = folder / "state"
    state.mkdir(mode=0o700, parents=True)
    for name, seed in (("edgeface-xxs", 1), ("edgeface-xs", 2)):
        make_package(crop_network(folder / f"{name}.onnx", {"embedding": 512}, seed=seed), name, state / "models")
    make_package(yunet_network(folder / "yunet.onnx"), "yunet", state / "models")
    stand("detector", Standing(active=DETECTOR), state)
    stand("recognizer", Standing(active=OLD), state)
    return Site(state, folder / "cache", Models())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("made"))


@pytest.fixture
def site(made: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Made-up weights know no face, and looking at strangers' files takes a process: both are left out."""
    shutil.copytree(made.state, tmp_path / "state")
    monkeypatch.setattr(choose_model, "check_package", lambda package, shop: None)
    monkeypatch.setattr(choose_model, "check_photo", lambda packages: None)
    return Site(tmp_path / "state", tmp_path / "cache", Models())


@dataclass
class Opened:
    vision: Vision
    report: Mapping[str, Any] = field(default_factory=dict)


class FakeHost:
    """Networks of a site, opened for real. failing: the call that raises. verdict: of a trial. open: how many visions
    are. at: called at the begin of every call, with its name."""

    def __init__(self, site: Site, failing: str = "", verdict: str = "") -> None:
        self.failing = failing
        self.verdict = verdict
        self.calls: list[str] = []
        self.tried: list[tuple[float, float]] = []
        self.dual = False
        self.at: Callable[[str], None] = lambda _: None
        self._site = site
        self._opener = OnnxEngines(EngineSettings(backend="onnx"))
        self.now = self._open({})
        self.open = [self.now]

    def serving(self) -> Vision:
        return self.now

    def prepare(self, packages: Mapping[Role, Package | None], *, dual: bool) -> Opened:
        self._step("prepare")
        self.dual = dual
        vision = self._open(packages)
        self.open.append(vision)
        return Opened(vision)

    def levels(self, ready: Opened) -> Levels | None:
        return None

    def moment(self) -> Moment:
        return START

    def pace(self) -> None:
        self._step("pace")

    def trial(self, ready: Opened, *, shadow_s: float, canary: float, told: Callable[[float, str], None]) -> str:
        self._step("trial")
        self.tried.append((shadow_s, canary))
        told(0.5, "looking on")
        ready.report = {"shadow": {"agreement": 0.98}}
        return self.verdict

    def switch(self, ready: Opened) -> None:
        self._step("switch")
        self.now = ready.vision

    def retire(self) -> None:
        self._step("retire")
        self._close_others()

    def drop(self, ready: Opened) -> None:
        self.calls.append("drop")
        self._close_others()

    def close(self) -> None:
        for vision in self.open:
            vision.close()

    def _close_others(self) -> None:
        for vision in self.open:
            if vision is not self.now:
                vision.close()
        self.open = [self.now]

    def _step(self, name: str) -> None:
        self.calls.append(name)
        self.at(name)
        if name == self.failing:
            raise EngineError(f"{name} fails")

    def _open(self, packages: Mapping[Role, Package | None]) -> Vision:
        found = {
            role: packages[role] if role in packages else self._site.present(role)
            for role in ("detector", "recognizer", "quality")
        }
        detector, recognizer = cast(Package, found["detector"]), cast(Package, found["recognizer"])
        return Vision(detector, recognizer, self._opener, found["quality"])


def package(site: Site, name: str) -> Package:
    return find_package(name, site.state, site.cache)
