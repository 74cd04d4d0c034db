"""Whether there is memory for another network: a machine, a service's limit, a GPU, and networks that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.beside import beside
from faceedge.config import EngineSettings
from faceedge.jobs.engines import Engines, OnnxEngines
from faceedge.jobs.room import Free, Task, lacking, machine_left, missing, need
from faceedge.models.store import make_package
from faceedge.package import Package
from tests.fakes.small_networks import crop_network, yunet_network
from tests.health.test_pressure import group, limits, meminfo, put, v2

TASK = Task((1280, 720), 16)
MB = 1_000_000
KIB_OF_GB = 1_000_000_000 // 1024


@dataclass
class OnDevice:
    """Stands for engines on a GPU. left: bytes free there; None is a device in the machine's memory."""

    left: int | None
    backend: str = "tensorrt"

    def device_left(self) -> int | None:
        return self.left


@pytest.fixture
def crops(tmp_path: Path) -> Package:
    return make_package(crop_network(tmp_path / "c.onnx", {"embedding": 512}), "edgeface-xs", tmp_path / "packages")


@pytest.fixture
def faces(tmp_path: Path) -> Package:
    return make_package(yunet_network(tmp_path / "y.onnx"), "yunet", tmp_path / "packages")


def onnx() -> Engines:
    return OnnxEngines(EngineSettings())


def on_device(left: int | None) -> Engines:
    return cast(Any, OnDevice(left))


def test_the_machine_gives_what_is_free_below_the_share_at_which_the_governor_halves_batches(tmp_path: Path) -> None:
    put(tmp_path, proc__meminfo=meminfo(8 * KIB_OF_GB, 2 * KIB_OF_GB))
    left = machine_left(tmp_path)
    assert left is not None
    assert left.count == pytest.approx(400 * MB, abs=MB)
    assert left.where == "on this machine"


def test_the_limit_of_the_service_counts_where_it_is_the_tighter_one(tmp_path: Path) -> None:
    v2(tmp_path)
    group(tmp_path, "/system.slice/faceedge.service", **limits(700, 1000))
    put(tmp_path, proc__meminfo=meminfo(8 * KIB_OF_GB, 6 * KIB_OF_GB))
    left = machine_left(tmp_path)
    assert left is not None
    assert left.count == 100 << 20
    assert "MemoryMax" in left.remedy


def test_where_nothing_tells_what_is_free_nothing_is_missing(tmp_path: Path, crops: Package) -> None:
    assert machine_left(tmp_path) is None
    assert missing([crops], onnx(), TASK, tmp_path) == ""


def test_what_is_missing_is_said_in_megabytes_with_what_is_free_and_how_to_get_more() -> None:
    free = Free(120 * MB + 5, "on this machine", "end other programs")
    assert lacking("edgeface-xs@1", 430 * MB, free) == (
        "to open edgeface-xs@1 beside what serves needs about 310 MB more than the 120 MB that are free on this "
        "machine; end other programs"
    )
    assert lacking("x@1", free.count, free) == ""
    assert "about 1 MB more" in lacking("x@1", free.count + 1, free)
    assert "than the 0 MB that are free" in lacking("x@1", 1, Free(-9 * MB, "to this service", ""))


def test_a_package_that_does_not_fit_is_named_and_one_that_fits_is_not(
    tmp_path: Path, crops: Package, faces: Package
) -> None:
    put(tmp_path, proc__meminfo=meminfo(10 * KIB_OF_GB, 2 * KIB_OF_GB + need(crops, TASK) // 1000))
    assert missing([crops], onnx(), TASK, tmp_path) == ""
    assert missing([crops, faces], onnx(), TASK, tmp_path).startswith(f"to open {crops.label} and {faces.label} beside")


def test_a_larger_frame_and_a_larger_batch_need_more_as_far_as_they_are_ever_run(
    crops: Package, faces: Package
) -> None:
    assert need(faces, Task((320, 240), 16)) < need(faces, TASK)
    assert need(crops, Task((640, 480), 4)) < need(crops, TASK)
    assert need(crops, Task((640, 480), 8)) == need(crops, TASK)


def test_a_gpu_with_memory_of_its_own_is_asked_and_one_without_takes_the_machines(
    tmp_path: Path, crops: Package
) -> None:
    plan = crops.graph.stat().st_size
    put(tmp_path, proc__meminfo=meminfo(10 * KIB_OF_GB, 2 * KIB_OF_GB + need(crops, TASK) // 1000))
    assert missing([crops], on_device(plan), TASK, tmp_path) == ""
    assert "free on the GPU" in missing([crops], on_device(plan - 1), TASK, tmp_path)
    put(tmp_path, proc__meminfo=meminfo(10 * KIB_OF_GB, 2 * KIB_OF_GB + need(crops, TASK) // 1024))
    assert "on this machine" in missing([crops], on_device(None), TASK, tmp_path)


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.parametrize(
    ("graph", "recipe", "shape"),
    [("mobilefacenet_128", "mobilefacenet", (8, 3, 112, 112)), ("scrfd_2.5g", "scrfd-2.5g", (1, 3, 384, 640))],
)
def test_real_networks_take_no_more_than_was_reckoned_and_not_a_small_part_of_it(
    assets: Path, tmp_path: Path, graph: str, recipe: str, shape: tuple[int, ...]
) -> None:
    package = make_package(assets / "models" / f"{graph}.onnx", recipe, tmp_path)
    taken = beside((assets / "models/yunet_n.onnx", (1, 3, 320, 320)), (package.fast_graph, shape))
    assert 0.4 < (taken.opened + taken.working) * MB / need(package, TASK) < 1
