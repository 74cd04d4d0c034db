"""A state directory with two small networks, and a stand-in device for whoever opens them."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge.config import EngineSettings
from faceedge.errors import EngineError
from faceedge.jobs.build_engines import Builder
from faceedge.jobs.engines import Engines, engines_of
from faceedge.models.store import make_package
from faceedge.package import Package
from tests.fakes.gpu import driver
from tests.fakes.gpu.fixture import StandinGpu
from tests.fakes.small_networks import crop_network, yunet_network


@pytest.fixture
def device(gpu: StandinGpu, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinGpu]:
    """The stand-ins, for child processes too; the device of the process is given back at the end."""
    from faceedge.backends import cuda

    for entry in reversed(driver.child_environment(gpu.version)["PYTHONPATH"].split(os.pathsep)):
        if entry not in sys.path:
            monkeypatch.syspath_prepend(entry)
    yield gpu
    gc.collect()  # what is freed after the device was closed stays with it
    for opened in cuda._PROCESS:
        opened.close()
    cuda._PROCESS.clear()


def without_device(gpu: StandinGpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver finds none, whatever this process has opened before."""
    from faceedge.backends import cuda_worker

    monkeypatch.setattr(cuda_worker, "_RETAINED", [])
    gpu.fail("cuDevicePrimaryCtxRetain", 100, times=-1)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Of one door, with its networks."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    make_package(crop_network(tmp_path / "crop.onnx", {"embedding": 512}), "edgeface-xxs", folder / "models")
    make_package(yunet_network(tmp_path / "yunet.onnx"), "yunet", folder / "models")
    return folder


def package(state: Path, name: str) -> Package:
    from faceedge.models.store import find_package

    return find_package(name, state, state / "cache")


class Door:
    """What a daemon does with engines. told: what the builder said."""

    def __init__(self, state: Path, backend: str = "auto") -> None:
        self.told: list[dict[str, Any]] = []
        self._more = threading.Condition()
        self.builder = Builder(self._tell)
        self.engines: Engines = engines_of(EngineSettings(backend=backend), state, self.builder)

    def wait(self, done: str, count: int = 1) -> dict[str, Any]:
        """Until so many builds have come to this."""
        with self._more:
            assert self._more.wait_for(lambda: len(self._all(done)) >= count, 60), self.told
        return self._all(done)[-1]

    def _all(self, done: str) -> list[dict[str, Any]]:
        return [one for one in self.told if one["done"] == done]

    def _tell(self, body: dict[str, Any]) -> None:
        with self._more:
            self.told.append(body)
            self._more.notify_all()


def refused(state: Path, backend: str) -> str:
    """Why engines of this backend cannot be opened."""
    with pytest.raises(EngineError) as raised:
        engines_of(EngineSettings(backend=backend), state)
    return str(raised.value)
