"""`faceedge selftest` over the stand-ins for TensorRT and CUDA: every row that a Jetson has, and what makes it fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faceedge import selftest
from faceedge.backends import cuda_kernels
from faceedge.backends.cuda import process_gpu
from faceedge.checks import answers, film, memory
from faceedge.checks.base import Bench, Finding
from faceedge.config import EngineSettings, Models
from faceedge.errors import DeviceLost
from faceedge.jobs.engines import engines_of
from faceedge.jobs.gpu_engines import GpuEngines
from faceedge.models.selftest import picture
from tests.fakes import host_kernels
from tests.fakes.gpu.fixture import StandinGpu
from tests.jobs.gpu_site import device, package, state  # noqa: F401 - fixtures

pytestmark = pytest.mark.system  # engines are built in processes of their own

PAIR = Models(detector="yunet", recognizer="edgeface-xxs")
ONE = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
Open = Callable[..., Bench]


@pytest.fixture
def site(device: StandinGpu, state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """With engines and kernels built; these are the host's, as the stand-in device runs them."""
    if reason := host_kernels.why_not():
        pytest.skip(reason)
    monkeypatch.setattr(cuda_kernels, "_compiled", lambda capability: host_kernels.host_image().read_bytes())
    engines = engines_of(EngineSettings(backend="tensorrt"), state)
    assert isinstance(engines, GpuEngines)
    for name in (PAIR.detector, PAIR.recognizer):
        engines.make(package(state, name), lambda share: None)
    engines.make_kernels()
    return state


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens benches, and closes them."""
    benches: list[Bench] = []

    def bench(state: Path, seconds: float = 3.0) -> Bench:  # noqa: F811
        settings = EngineSettings(backend="tensorrt")
        benches.append(Bench(PAIR, settings, state, state / "cache", picture(640, 360), seconds))
        return benches[-1]

    yield bench
    for one in benches:
        one.close()


def found(bench: Bench, *names: str) -> dict[str, Finding]:
    """Of the rows with these words in their names, all without one."""
    wanted = [check for check in selftest.CHECKS if not names or any(name in check.name for name in names)]
    return {row.check: row.finding for row in selftest.run(bench, lambda name, share: None, wanted)}


def test_every_row_of_a_jetson_passes_or_says_why_it_is_not_run(
    site: Path,
    opened: Open,
    device: StandinGpu,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, number in (("RUNS", 40), ("LEAST_RUNS", 40), ("TIME_SHARE", 10.0)):
        monkeypatch.setattr(memory, name, number)
    own = "FP16" if device.version == "10.3.0" else "FP32"
    rows = found(opened(site))
    assert {name: one.said for name, one in rows.items() if one.verdict == "failed"} == {}
    assert {name for name, one in rows.items() if one.verdict == "passed"} == {
        "L4T without known faults", "ONNX Runtime, self-test vectors", f"TensorRT {own} against ONNX Runtime",
        "kernels against the CPU", "two engines in one arena", "memory of 1000 runs", "latency by batch",
    }  # fmt: skip
    assert device.version in rows["L4T without known faults"].said
    assert "no network that serves is to run in int8" in rows["TensorRT INT8 against ONNX Runtime"].said
    assert "--minutes 2 or more" in rows["film through the flow"].said
    table = rows["latency by batch"].figures["table"]
    assert {(one["engine"], one["precision"]) for one in table} == {
        ("TensorRT", own.lower()), ("ONNX Runtime", "fp32"),
    }  # fmt: skip
    assert set(rows["memory of 1000 runs"].figures["bytes_a_run"]) == {"process", "CUDA"}


@ONE
@pytest.mark.usefixtures("device")
def test_without_built_engines_the_rows_fail_and_say_what_to_run(state: Path, opened: Open) -> None:  # noqa: F811
    rows = found(opened(state), "FP16", "kernels", "arena")
    assert {one.verdict for one in rows.values()} == {"failed"}
    assert rows["TensorRT FP16 against ONNX Runtime"].said == (
        "yunet@n: no engine has been built yet; run: faceedge build detector"
    )
    assert rows["kernels against the CPU"].said.endswith("no compiled kernels for this device; run: faceedge build")


@ONE
def test_an_engine_that_answers_otherwise_fails_with_how_far(
    site: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, right = opened(site), answers.run_rows

    def run_rows(engine, rows):  # type: ignore[no-untyped-def]
        made = right(engine, rows)
        return {name: 1.2 * values for name, values in made.items()} if engine.device.startswith("cuda") else made

    monkeypatch.setattr(answers, "run_rows", run_rows)
    row = found(bench, "FP16")["TensorRT FP16 against ONNX Runtime"]
    assert row.verdict == "failed"
    assert "edgeface-xxs@1 0.2 from ONNX Runtime, more than 0.05" in row.said


@ONE
def test_a_device_that_is_lost_fails_its_rows_and_leaves_those_of_the_cpu(
    site: Path,
    opened: Open,
    device: StandinGpu,  # noqa: F811
) -> None:
    bench = opened(site)
    device.forgive("live_device", "live_pinned", "live_streams", "live_events", "live_modules")
    device.fail("cuCtxSynchronize", 700, times=-1)
    with pytest.raises(DeviceLost):
        process_gpu().check()
    rows = found(bench, "arena", "self-test")
    assert rows["two engines in one arena"].verdict == "failed"
    assert rows["ONNX Runtime, self-test vectors"].verdict == "passed"


@ONE
def test_plans_for_the_film_are_signed_with_a_key_of_its_own(site: Path, opened: Open, tmp_path: Path) -> None:
    bench, other = opened(site), tmp_path / "film"
    film.hand_over(bench, other)
    assert (site / "keys" / "device.key").read_bytes() != (other / "keys" / "device.key").read_bytes()
    assert sorted(path.name for path in (site / "engines").glob("*.cubin")) == [
        path.name for path in (other / "engines").glob("*.cubin")
    ]
    engines = engines_of(EngineSettings(backend="tensorrt"), other)
    for one in bench.packages.values():
        engine = engines.open(one)
        assert engine.device == "cuda:0"
        engine.close()
    assert bench.on_gpu(bench.vision.recognizer_package).device == "cuda:0"  # its own are as they were
