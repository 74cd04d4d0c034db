"""Which engine a package gets: ONNX Runtime, TensorRT, or the one until there is the other. On the stand-in device."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceedge.backends.base import DeviceTensor, Input
from faceedge.backends.machine_facts import Machine
from faceedge.backends.onnx import OnnxEngine
from faceedge.config import EngineSettings
from faceedge.detect import Detector
from faceedge.errors import DeviceLost, EngineError, MissingExtra
from faceedge.families import detector_family
from faceedge.jobs.engines import OnnxEngines, engines_of
from faceedge.models.selftest import picture
from tests.fakes.gpu.fixture import StandinGpu
from tests.jobs.gpu_site import Door, device, package, refused, state, without_device  # noqa: F401 - fixtures

ONE = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
ROWS: dict[str, Input] = {"input": np.random.default_rng(1).normal(size=(3, 3, 112, 112)).astype(np.float32)}


def onnx_answer(folder: Path) -> Any:
    engine = OnnxEngine(package(folder, "edgeface-xxs").graph, max_batch=16)
    return engine.infer(ROWS)["embedding"].copy()


@pytest.mark.parametrize("missing", ["tensorrt", "pycuda"])
def test_without_the_modules_auto_is_onnx_runtime_and_says_nothing(state: Path, missing: str) -> None:  # noqa: F811
    engines = engines_of(EngineSettings(), state, is_there=lambda module: module != missing)
    assert isinstance(engines, OnnxEngines)
    assert isinstance(engines.open(package(state, "edgeface-xxs")), OnnxEngine)
    assert (engines.backend, engines.notices()) == ("onnx", [])


def test_tensorrt_that_is_asked_for_and_is_not_installed_is_named(
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtra, match=r"faceedge\[jetson\]"):
        engines_of(EngineSettings(backend="tensorrt"), state)


@ONE
def test_onnx_stays_onnx_where_there_is_a_device(device: StandinGpu, state: Path) -> None:  # noqa: F811
    engines = engines_of(EngineSettings(backend="onnx"), state)
    assert isinstance(engines, OnnxEngines)
    assert device.count("cuInit") == 0


@ONE
def test_without_a_device_auto_is_onnx_runtime_with_a_notice_and_tensorrt_an_error(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_device(device, monkeypatch)
    engines = engines_of(EngineSettings(), state)
    assert isinstance(engines, OnnxEngines)
    (notice,) = engines.notices()
    assert notice.startswith("all networks run on ONNX Runtime, as TensorRT cannot: no CUDA device 0")
    assert "no CUDA device 0" in refused(state, "tensorrt")


@ONE
def test_a_module_whose_library_is_missing_counts_as_absent_for_auto(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    engines = engines_of(EngineSettings(), state)
    assert isinstance(engines, OnnxEngines)
    assert "pycuda is not installed" in engines.notices()[0]


def test_a_tensorrt_whose_libraries_cannot_be_read_counts_as_absent_for_auto_and_says_why(
    state: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "tensorrt.py").write_text('raise OSError("libnvinfer.so.10: cannot open shared object file")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    engines = engines_of(EngineSettings(), state, is_there=lambda _module: True)
    assert isinstance(engines, OnnxEngines)
    (notice,) = engines.notices()
    assert "tensorrt cannot be loaded (libnvinfer.so.10: cannot open" in notice


@ONE
def test_after_a_boot_a_jetson_waits_for_its_device_and_other_machines_do_not(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faceedge.jobs import gpu_engines

    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            device.fail("cuDevicePrimaryCtxRetain", 0)

    without_device(device, monkeypatch)
    with pytest.raises(EngineError, match="no CUDA device 0"):
        gpu_engines.open_gpu_engines(EngineSettings(), state, sleep=sleep)
    assert slept == []
    jetson = Machine("10.3.0", "12.6", "36.4.3", "Orin Nano")
    monkeypatch.setattr(gpu_engines, "read_machine", lambda: jetson)
    assert gpu_engines.open_gpu_engines(EngineSettings(), state, sleep=sleep).backend == "tensorrt"
    assert slept == [1.0, 1.0, 1.0]


@ONE
def test_who_only_looks_makes_no_key_and_no_folder(device: StandinGpu, state: Path) -> None:  # noqa: F811
    engine = engines_of(EngineSettings(), state).open(package(state, "edgeface-xxs"))
    assert engine.device == "cpu"
    assert engine.infer(ROWS)["embedding"] == pytest.approx(onnx_answer(state))
    engine.close()
    assert sorted(entry.name for entry in state.iterdir()) == ["models"]


@pytest.mark.system
def test_a_missing_engine_is_built_while_the_fallback_serves_and_is_there_at_the_next_start(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
) -> None:
    wanted = onnx_answer(state)
    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    assert engine.device == "cpu"
    assert engine.infer(ROWS)["embedding"] == pytest.approx(wanted)
    door.builder.start()
    told = door.wait("serves")
    assert engine.device == "cuda:0"
    assert engine.max_batch == 8
    assert engine.infer(ROWS)["embedding"] == pytest.approx(wanted, abs=1e-3)
    precision = "fp16" if device.version == "10.3.0" else "fp32"
    assert (told["role"], told["precision"], told["tensorrt"]) == ("recognizer", precision, device.trt.__version__)
    assert not [notice for notice in door.engines.notices() if "ONNX Runtime" in notice]
    door.builder.stop()
    engine.close()

    again = Door(state)
    engine = again.engines.open(package(state, "edgeface-xxs"))
    assert engine.device == "cuda:0"
    assert engine.infer(ROWS)["embedding"] == pytest.approx(wanted, abs=1e-3)
    again.builder.start()
    assert again.told == [], "nothing to build"
    engine.close()


@ONE
@pytest.mark.system
def test_an_altered_plan_is_set_aside_and_built_again_and_never_opened(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
) -> None:
    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    door.wait("serves")
    door.builder.stop()
    engine.close()
    (plan,) = (state / "engines").rglob("*.plan")
    content = bytearray(plan.read_bytes())
    content[len(content) // 2] ^= 1
    plan.write_bytes(content)
    again = Door(state)
    engine = again.engines.open(package(state, "edgeface-xxs"))
    assert engine.device == "cpu"
    again.builder.start()
    assert "altered" in again.wait("begun")["why"]
    again.wait("serves")
    assert engine.device == "cuda:0"
    assert list(plan.parent.glob("*.plan.bad-1"))
    again.builder.stop()
    engine.close()


@ONE
@pytest.mark.system
def test_a_build_that_fails_leaves_the_fallback_and_says_why_once(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_FAIL", "no kernel for this layer")
    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    assert "no kernel for this layer" in door.wait("failed")["why"]
    assert engine.device == "cpu"
    assert engine.infer(ROWS)["embedding"] == pytest.approx(onnx_answer(state))
    (notice,) = door.engines.notices()
    assert "no kernel for this layer" in notice
    door.builder.stop()
    assert [one["done"] for one in door.told] == ["begun", "failed"]
    engine.close()


@ONE
@pytest.mark.system
def test_an_engine_that_answers_otherwise_than_the_package_never_serves(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faceedge.backends.tensorrt import TensorRtEngine
    from faceedge.jobs import gpu_plans

    class Wrong(TensorRtEngine):
        def infer(self, arrays: Any) -> Any:
            return {name: np.roll(values, 1, axis=0) for name, values in super().infer(arrays).items()}

    monkeypatch.setattr(gpu_plans, "TensorRtEngine", Wrong)
    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    assert "differ by" in door.wait("failed")["why"]
    assert engine.device == "cpu"
    assert engine.infer(ROWS)["embedding"] == pytest.approx(onnx_answer(state))
    door.builder.stop()
    assert not list((state / "engines").rglob("*.plan")), "set aside"
    engine.close()


@ONE
@pytest.mark.system
def test_a_plan_that_was_kept_is_held_against_onnx_runtime_at_every_start(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faceedge.backends.tensorrt import TensorRtEngine
    from faceedge.jobs import gpu_plans

    class WrongAfterTheFirst(TensorRtEngine):
        """In rows that no package notes."""

        def infer(self, arrays: Any) -> Any:
            first = (np.arange(len(arrays["input"])) == 0)[:, None]
            return {name: values * first for name, values in super().infer(arrays).items()}

    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    door.wait("serves")
    door.builder.stop()
    engine.close()
    monkeypatch.setattr(gpu_plans, "TensorRtEngine", WrongAfterTheFirst)
    engine = engines_of(EngineSettings(), state).open(package(state, "edgeface-xxs"))
    assert engine.device == "cpu"
    engine.close()


@ONE
@pytest.mark.system
def test_a_stop_ends_a_build_that_would_take_a_minute(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_SECONDS", "60")
    door = Door(state)
    engine = door.engines.open(package(state, "edgeface-xxs"))
    door.builder.start()
    door.wait("begun")
    began = time.monotonic()
    door.builder.stop()
    assert time.monotonic() - began < 2
    assert "engine builds" not in [thread.name for thread in threading.enumerate()], "it waits for no child"
    assert not list((state / "engines").glob(".build-*")), "nothing is left of it"
    assert [one["done"] for one in door.told] == ["begun"]
    engine.close()


@ONE
@pytest.mark.system
def test_a_frame_outside_the_profile_is_searched_by_onnx_runtime_and_others_go_on_by_tensorrt(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from faceedge.backends import cuda_kernels
    from tests.fakes.host_kernels import host_image, why_not

    if reason := why_not():
        pytest.skip(reason)
    monkeypatch.setattr(cuda_kernels, "_compiled", lambda capability: host_image().read_bytes())
    yunet = package(state, "yunet")
    door = Door(state)
    engine = door.engines.open(yunet)
    preprocessor = door.engines.preprocessor(engine)
    detector = Detector(engine, detector_family(yunet.manifest), preprocessor, yunet.manifest.normalisation)
    images = [picture(640, 360), picture(320, 320), picture(100, 20)]
    before = [detector.detect([image])[0] for image in images]
    door.builder.start()
    door.wait("serves")
    canvas = detector_family(yunet.manifest).canvas(360, 640)
    laid = preprocessor.letterbox([preprocessor.upload(images[0])], canvas, yunet.manifest.normalisation)
    assert isinstance(laid, DeviceTensor), "the frame is prepared where it is searched"
    runs = device.count("kernels")
    for image, faces in zip(images, before, strict=True):
        found = detector.detect([image])[0]
        assert [face.score for face in found] == pytest.approx([face.score for face in faces], abs=0.01)
    assert device.count("kernels") > runs
    (notice,) = door.engines.notices()
    assert "(1, 3, 32, 128) are outside its engine's profile" in notice
    door.builder.stop()
    engine.close()

    for kernels in (state / "engines").glob("*.cubin"):
        kernels.unlink()  # as after an update of faceedge
    again = Door(state)
    engine = again.engines.open(yunet)
    preprocessor = again.engines.preprocessor(engine)
    assert isinstance(preprocessor.letterbox([images[0]], canvas, yunet.manifest.normalisation), np.ndarray)
    again.builder.start()
    while "engine builds" in [thread.name for thread in threading.enumerate()]:
        time.sleep(0.01)
    laid = preprocessor.letterbox([images[0]], canvas, yunet.manifest.normalisation)
    assert isinstance(laid, DeviceTensor), "the plan was good, the kernels were made anew"
    assert again.told == []
    engine.close()
    del laid, preprocessor, detector, door, again, engine


@ONE
def test_a_lost_device_ends_the_daemon(device: StandinGpu, state: Path) -> None:  # noqa: F811
    device.forgive("live_streams", "live_events")
    door = Door(state)
    door.engines.check()
    from faceedge.backends.cuda import process_gpu

    device.fail("cuCtxSynchronize", 700, times=-1)
    with pytest.raises(DeviceLost):
        process_gpu().check()
    with pytest.raises(DeviceLost) as lost:
        door.engines.check()
    assert lost.value.exit_code == 75


@ONE
@pytest.mark.system
def test_an_engine_that_fails_is_read_anew_and_without_its_plan_the_fallback_takes_over(
    device: StandinGpu,  # noqa: F811
    state: Path,  # noqa: F811
) -> None:
    wanted = onnx_answer(state)
    door = Door(state)
    pack = package(state, "edgeface-xxs")
    engine = door.engines.open(pack)
    door.builder.start()
    door.wait("serves")
    door.builder.stop()
    before = device.count("live_device")
    assert before > 0
    for _ in range(3):
        assert door.engines.renew(pack, engine) is engine
        assert engine.device == "cuda:0"
        assert engine.infer(ROWS)["embedding"] == pytest.approx(wanted, abs=1e-3)
    assert device.count("live_device") <= before, "nothing of the old ones stays"
    for plan in (state / "engines").rglob("*.plan"):
        plan.unlink()
    door.engines.renew(pack, engine)
    assert engine.device == "cpu"
    assert engine.infer(ROWS)["embedding"] == pytest.approx(wanted)
    engine.close()
