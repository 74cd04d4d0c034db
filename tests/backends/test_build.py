"""Building: the calls to TensorRT in three versions, progress, limits, and a whole life over the stand-in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceedge.backends import build_limits
from faceedge.backends.build import Build, BuildCancelled, BuildFailed, Order
from faceedge.backends.build_progress import Phases
from faceedge.backends.fingerprint import typing_of
from faceedge.backends.guarded import signed
from faceedge.backends.plan import read_plan
from faceedge.backends.trt_network import BuildError, Built, Work, build, condensed, speaks_of_memory
from tests.fakes import plan_graphs, plans


def quiet(_share: float, _phase: str) -> None:
    pass


def work(gpu: Any, graph: bytes = b"", precision: str = "fp16", cache: bytes = b"", **changes: Any) -> Work:
    options = plans.options(precision=precision, **{"profile": plan_graphs.SHAPES} | changes)
    return Work(graph or plan_graphs.plain(), options, typing_of(gpu.trt.__version__), cache)


def settings(gpu: Any, built: Built) -> dict[str, Any]:
    from tests.fakes.gpu.trt_plan import here, unpack

    return unpack(bytes(memoryview(built.plan)), here(gpu.trt.__version__))[0]


# What TensorRT is asked for


@pytest.mark.parametrize(
    ("precision", "flags"), [("fp32", []), ("fp16", ["FP16", "TF32"]), ("int8", ["FP16", "INT8", "TF32"])]
)
def test_flags_of_the_builder_make_the_precision_on_10_3_and_the_graph_later(
    gpu, precision: str, flags: list[str]
) -> None:
    graph = plan_graphs.quantised() if precision == "int8" else plan_graphs.plain()
    made = settings(gpu, build(gpu.trt, work(gpu, graph, precision), quiet))
    assert made["strong"] is (gpu.version != "10.3.0")
    assert made["flags"] == (flags if gpu.version == "10.3.0" else [flag for flag in flags if flag == "TF32"])


def test_the_recipe_reaches_tensorrt(gpu) -> None:
    made = settings(gpu, build(gpu.trt, work(gpu, optimisation_level=1), quiet))
    assert (made["level"], made["verbosity"]) == (1, "DETAILED")
    assert made["profiles"] == [{"x": [list(shape) for shape in plan_graphs.SHAPES["x"]]}]


def test_the_memory_of_a_build_is_limited(gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {}
    monkeypatch.setattr(
        gpu.trt.IBuilderConfig, "set_memory_pool_limit", lambda _config, pool, size: limits.update({pool.name: size})
    )
    build(gpu.trt, dataclasses.replace(work(gpu, workspace_mib=64), tactic_bytes=12345), quiet)
    assert limits == {"WORKSPACE": 64 << 20, "TACTIC_DRAM": 12345}


def test_progress_grows_to_the_end(gpu) -> None:
    told: list[tuple[float, str]] = []
    clock = iter(range(10_000))
    build(gpu.trt, work(gpu), lambda share, phase: told.append((share, phase)))
    assert told
    shares: list[float] = []
    phases = Phases(lambda share, _phase: shares.append(share), lambda: float(next(clock)))
    phases.start("all", "", 2)
    for part in ("first", "second"):
        phases.start(part, "all", 4)
        for step in range(4):
            phases.step(part, step)
        phases.finish(part)
        phases.step("all", 0 if part == "first" else 1)
    assert shares == sorted(shares)
    assert shares[1:6] == [0, 0.125, 0.25, 0.375, 0.5]
    assert shares[-1] == 0.99


def test_progress_bears_phases_that_make_no_sense() -> None:
    told: list[float] = []
    phases = Phases(lambda share, _phase: told.append(share), lambda: len(told) * 1.0)
    phases.step("unknown", 3)
    phases.finish("unknown")
    phases.start("own parent", "own parent", 0)
    phases.start("a", "b", 2)
    phases.start("b", "a", -1)
    phases.start("root", "", 3)
    phases.step("root", 99)
    phases.step("root", -5)
    phases.start("root", "", 3)
    assert told == sorted(told)
    assert told[-1] == 0.99


# What TensorRT answers


def refuse(gpu: Any, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, answer: Any) -> str:
    def refusing(*_args: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(getattr(gpu.trt, kind), name, refusing)
    with pytest.raises(BuildError) as caught:
        build(gpu.trt, work(gpu), quiet)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        ("Builder", "create_network", None), ("Builder", "create_builder_config", None),
        ("Builder", "create_optimization_profile", None), ("Builder", "build_serialized_network", None),
        ("OnnxParser", "parse", False), ("IBuilderConfig", "add_optimization_profile", -1),
        ("IBuilderConfig", "create_timing_cache", None), ("IBuilderConfig", "set_timing_cache", False),
        ("IOptimizationProfile", "set_shape", RuntimeError("Shape provided is inconsistent")),
        ("Builder", "create_network", TypeError("pybind11::init(): factory function returned nullptr")),
    ],
)  # fmt: skip
def test_no_none_and_no_false_goes_unseen(
    gpu, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, answer: Any
) -> None:
    assert refuse(gpu, monkeypatch, kind, name, answer)


def test_a_graph_that_the_parser_refuses_is_told_of_by_node(gpu) -> None:
    with pytest.raises(BuildError, match=r"the graph is not one that it takes \(node 1: No importer registered"):
        build(gpu.trt, work(gpu, plan_graphs.of_strangers()), quiet)
    with pytest.raises(BuildError, match="symmetric"):
        build(gpu.trt, work(gpu, plan_graphs.quantised(zero_point=3), "int8"), quiet)
    with pytest.raises(BuildError, match="Failed to parse"):
        build(gpu.trt, work(gpu, b"no graph"), quiet)


def test_a_profile_that_is_not_taken_is_told_of(gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "shapes of the recipe" in refuse(gpu, monkeypatch, "IBuilderConfig", "add_optimization_profile", -1)


def test_a_profile_that_does_not_fit_is_told_of(gpu) -> None:
    for profile in ({"z": plan_graphs.SHAPES["x"]}, {"x": ((1, 3, 9, 9),) * 3}):
        with pytest.raises(BuildError, match="API Usage Error"):
            build(gpu.trt, work(gpu, profile=profile), quiet)


def test_a_timing_cache_serves_again_and_a_foreign_one_is_replaced(gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(gpu.trt, work(gpu), quiet)
    cache = bytes(memoryview(first.timing_cache))
    assert build(gpu.trt, work(gpu, cache=cache), quiet).cache_refused is False
    assert build(gpu.trt, work(gpu, cache=b"damaged" + cache), quiet).cache_refused is True
    monkeypatch.setenv("FACEEDGE_STANDIN_GPU", "another module")
    replaced = build(gpu.trt, work(gpu, cache=cache), quiet)
    assert replaced.cache_refused is True
    assert b"another module" in bytes(memoryview(replaced.timing_cache))


def test_words_of_tensorrt_are_condensed() -> None:
    told = {
        "[optimizer.cpp::computeCosts::4048] Error Code 10: Internal Error (Could not find any\n implementation)":
            "Internal Error (Could not find any implementation)",
        "IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error (no profile)": "API Usage Error (no profile)",
        "Error Code 1: Cuda Runtime (out of memory)": "Cuda Runtime (out of memory)",
        "In node 3 (parseGraph): UNSUPPORTED_NODE": "In node 3 (parseGraph): UNSUPPORTED_NODE",
        "[only.cpp::place::1]": "[only.cpp::place::1]", "": "", "\x1b[31mred": "[31mred",
    }  # fmt: skip
    assert {text: condensed(text) for text in told} == told
    assert len(condensed("x" * 10_000)) == 200


def test_words_about_memory_are_recognised() -> None:
    about = ("OutOfMemory (no further information)", "Cuda Runtime (out of memory)", "NvMapMemAllocInternalTagged: 12",
             "Skipping tactic 0x1 due to insufficient memory on requested size", "Requested amount of GPU memory (1) could not be allocated")  # fmt: skip # noqa: E501
    assert all(map(speaks_of_memory, about))
    assert not speaks_of_memory("Could not find any implementation")


# What a build may take


def test_available_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert build_limits.available_bytes(tmp_path) is None
    for text, value in (
        ("MemFree: 5 kB\nMemAvailable:  2048 kB\n", 2 << 20),
        ("MemAvailable: x kB\n", None),
        ("", None),
    ):
        (tmp_path / "proc/meminfo").write_text(text)
        assert build_limits.available_bytes(tmp_path) == value


def group_tree(root: Path, own: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"4:memory:/elsewhere\n0::{own}\n")
    folder = root / "sys/fs/cgroup" / own.strip("/")
    folder.mkdir(parents=True)
    return folder


def test_a_cgroup_is_made_only_where_the_tree_was_left_to_us(tmp_path: Path) -> None:
    own = group_tree(tmp_path, "/system.slice/faceedge.service/main")
    group = own.parent / "faceedge-build"
    group.mkdir()
    (group / "memory.max").write_text("max")
    assert build_limits.make_group(1 << 30, tmp_path) is None
    assert build_limits.make_group(1 << 30, tmp_path, lambda folder: folder == own.parent) == group
    assert (group / "memory.max").read_text() == str(1 << 30)


def test_a_cgroup_without_the_memory_controller_is_taken_away_again(tmp_path: Path) -> None:
    own = group_tree(tmp_path, "/a/b")
    assert build_limits.make_group(1 << 30, tmp_path, lambda _folder: True) is None
    assert not (own / "faceedge-build").exists()
    assert not (own.parent / "faceedge-build").exists()


@pytest.mark.parametrize("own", ["/", ""])
def test_the_root_of_the_tree_is_nobodys(tmp_path: Path, own: str) -> None:
    group_tree(tmp_path, own)
    assert build_limits.make_group(1 << 30, tmp_path, lambda _folder: True) is None


def test_an_order_does_not_print_its_key_and_names_its_cache(tmp_path: Path) -> None:
    order = Order(tmp_path / "model.onnx", plans.place(tmp_path), plans.fingerprint(), plans.KEY)
    assert plans.KEY.hex() not in repr(order)
    assert repr(plans.KEY) not in repr(order)
    name = "timing-10.3.0-NVIDIA-Jetson-Orin-Nano-Engineering-Reference-Developer-Kit-p3767-0005.cache"
    assert order.timing_cache == tmp_path / "engines" / name


# A whole life, in a process of its own


@pytest.fixture
def order(gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Order]:
    """Child processes find the stand-in of the same version."""
    for folder in reversed(os.environ["PYTHONPATH"].split(":")):
        monkeypatch.syspath_prepend(folder)
    graph = tmp_path / "model.onnx"
    graph.write_bytes(plan_graphs.plain())
    machine = dataclasses.replace(plans.MACHINE, tensorrt=gpu.trt.__version__)
    wanted = plans.fingerprint(machine, graph.read_bytes(), profile=plan_graphs.SHAPES)

    def make(**changes: Any) -> Order:
        made = Order(graph, plans.place(tmp_path / "state"), wanted, plans.KEY, "25W")
        return dataclasses.replace(made, **changes)

    return make


@pytest.mark.system
def test_a_plan_is_built_signed_and_opens(gpu, order: Callable[..., Order]) -> None:
    with Build.start(order()) as started:
        events = list(started.events())
        outcome = started.result()
    assert [event.share for event in events] == sorted(event.share for event in events)
    assert outcome.notes == ()
    reading = read_plan(order().place, order().wanted, plans.KEY, "MAXN")
    assert "power mode 25W, now it is MAXN" in reading.note
    assert reading.plan is not None
    assert settings(gpu, Built(reading.plan, None, False))["strong"] is (gpu.version != "10.3.0")
    told = json.loads(order().place.sidecar.read_text())["sidecar"]
    assert told["plan_sha256"] == hashlib.sha256(reading.plan).hexdigest()
    assert told["fingerprint"]["tensorrt"] == gpu.trt.__version__
    assert sorted(path.name for path in order().engines.iterdir()) == [
        "build.lock", order().timing_cache.name, "toy@1",
    ]  # fmt: skip


@pytest.mark.system
def test_a_kept_timing_cache_serves_unless_it_is_anothers(
    gpu, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    def notes() -> str:
        with Build.start(order()) as started:
            return " ".join(started.result().notes)

    assert notes() == ""
    first = order().timing_cache.read_bytes()
    monkeypatch.setenv("FACEEDGE_STANDIN_GPU", "another module")
    assert "of another device or version" in notes()
    order().timing_cache.write_bytes(first[:-1] + b"?")
    assert notes() == ""  # set aside; TensorRT never saw it
    assert order().timing_cache.with_name(f"{order().timing_cache.name}.bad-1").exists()
    order().timing_cache.write_bytes(signed(plans.KEY, b"faceedge-timing-1", b"what TensorRT cannot read"))
    assert "of another device or version" in notes()


@pytest.mark.system
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("FACEEDGE_STANDIN_BUILD_FAIL", "Could not find any implementation", "not built: Internal Error (Could not"),
        ("FACEEDGE_STANDIN_CUDA_FAIL", "cuInit:100", "CUDA initialization failure"),
    ],
)
def test_a_failed_build_leaves_the_old_plan_serving(
    gpu, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    where = plans.kept(order().engines.parent, wanted=order().wanted)
    monkeypatch.setenv(variable, value)
    with Build.start(order()) as started, pytest.raises(BuildFailed) as caught:
        started.result()
    assert words in str(caught.value)
    assert str(caught.value).endswith("the engine that was there stays")
    assert read_plan(where, order().wanted, plans.KEY).plan == plans.PLAN


@pytest.mark.system
def test_a_build_is_cancelled_in_the_middle(gpu, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_SECONDS", "60")
    with Build.start(order()) as started:
        events = started.events()
        next(events)
        started.cancel()
        with pytest.raises(BuildCancelled):
            list(events)
    assert not order().place.plan.exists()


@pytest.mark.system
def test_whoever_stops_listening_may_still_wait_for_the_result(
    gpu, order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_SECONDS", "0.5")
    with Build.start(order()) as started:
        next(started.events())
        assert started.result().plan == order().place.plan
        assert list(started.events()) == []
