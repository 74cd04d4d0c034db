"""A package opened beside those that serve: its engine is built while they go on, and waited for. On the stand-in."""

from __future__ import annotations

from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest

from faceedge.config import EngineSettings
from faceedge.errors import EngineError
from faceedge.jobs.build_engines import Ending
from faceedge.jobs.engines import OnnxEngines
from faceedge.models.store import make_package
from tests.fakes.gpu.fixture import StandinGpu
from tests.fakes.small_networks import crop_network
from tests.jobs.gpu_site import Door, device, package, state  # noqa: F401 - fixtures

ONE = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
ROWS = {"input": np.random.default_rng(1).normal(size=(3, 3, 112, 112)).astype(np.float32)}


def deaf(_share: float) -> None:
    """Who does not care how far it is."""


@pytest.fixture
def other(state: Path, tmp_path: Path) -> str:  # noqa: F811
    """The name of a second recogniser."""
    graph = crop_network(tmp_path / "other.onnx", {"embedding": 512}, seed=7)
    return make_package(graph, "edgeface-xs", state / "models").manifest.name


def test_on_onnx_runtime_nothing_is_waited_for(state: Path) -> None:  # noqa: F811
    engines = OnnxEngines(EngineSettings())
    engine = engines.open(package(state, "edgeface-xxs"))
    engines.settle(engine, Ending(), deaf)
    engine.close()


@pytest.mark.system
def test_an_engine_beside_is_built_while_the_other_serves_and_then_waited_for(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    other: str,
) -> None:
    door, shares = Door(state), list[float]()
    serving = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    door.engines.settle(serving, Ending(), deaf)
    wanted = serving.infer(ROWS)["embedding"].copy()
    assert serving.device == "cuda:0"

    beside = door.engines.open(package(state, other))
    assert beside.device == "cpu"
    before = beside.infer(ROWS)["embedding"].copy()
    door.engines.settle(beside, Ending(), lambda share: (shares.append(share), serving.infer(ROWS))[0])
    assert beside.device == "cuda:0"
    assert beside.infer(ROWS)["embedding"] == pytest.approx(before, abs=1e-3)
    assert serving.infer(ROWS)["embedding"] == pytest.approx(wanted)
    assert shares == sorted(shares)
    serving.close()
    assert beside.infer(ROWS)["embedding"] == pytest.approx(before, abs=1e-3)
    door.builder.stop()
    beside.close()


@ONE
@pytest.mark.system
def test_an_engine_that_cannot_be_built_says_so_to_who_waits_and_no_longer_once_it_is_closed(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_FAIL", "no kernel for this layer")
    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    with pytest.raises(EngineError, match="no kernel for this layer"):
        door.engines.settle(engine, Ending(), deaf)
    assert engine.infer(ROWS)["embedding"].shape[0] == 3
    assert door.engines.notices()
    engine.close()
    assert list(door.engines.notices()) == []
    door.builder.stop()


@ONE
@pytest.mark.system
def test_closing_an_engine_calls_its_build_off_and_the_next_one_is_begun(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_SECONDS", "60")
    door, ending = Door(state), Ending()
    first, second = (door.engines.open(package(state, name)) for name in ("edgeface-xxs", other))
    door.builder.start()
    door.wait("begun")
    Timer(0.05, ending.set).start()
    with pytest.raises(EngineError, match="not waited for"):
        door.engines.settle(first, ending, deaf)
    monkeypatch.delenv("FACEEDGE_STANDIN_BUILD_SECONDS")
    first.close()
    door.engines.settle(second, Ending(), deaf)
    assert second.device == "cuda:0"
    assert [(one["package"].split("@")[0], one["done"]) for one in door.told][1:] == [
        (other, "begun"), (other, "serves"),
    ]  # fmt: skip
    with pytest.raises(EngineError, match="called off"):
        door.engines.settle(first, Ending(), deaf)
    door.builder.stop()
    second.close()


@ONE
def test_an_engine_for_which_the_device_has_no_room_says_so_to_who_waits(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faceedge.errors import NoDeviceMemory
    from faceedge.jobs.gpu_plans import Plans

    def full(*_: Any) -> Any:
        raise NoDeviceMemory("the device has 12 MB left of 30 MB that are needed")

    door = Door(state)
    monkeypatch.setattr(Plans, "opened", full)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    with pytest.raises(EngineError, match="12 MB left"):
        door.engines.settle(engine, Ending(), deaf)
    engine.close()
    assert list(door.engines.notices()) == []


@ONE
@pytest.mark.system
def test_engines_opened_and_closed_again_and_again_leave_nothing_behind(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
) -> None:
    door = Door(state)
    pack = package(state, "edgeface-xxs")
    serving = door.engines.open(pack)
    door.builder.start()
    door.engines.settle(serving, Ending(), deaf)
    serving.infer(ROWS)
    before = device.count("live_device")
    for _ in range(20):
        beside = door.engines.open(pack)
        door.engines.settle(beside, Ending(), deaf)
        assert beside.device == "cuda:0"
        beside.infer(ROWS)
        beside.close()
    assert device.count("live_device") <= before
    assert len(door.engines._opened) <= 2  # type: ignore[attr-defined]
    door.builder.stop()
    serving.close()
