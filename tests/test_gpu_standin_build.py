"""The stand-in TensorRT, building: API of three versions, parser, typing, profiles, monitor, timing cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.contract.made_up import made_up, save
from tests.fakes.gpu.example import config_of, current, logger, parsed
from tests.fakes.gpu.fixture import StandinGpu
from tests.fakes.gpu.rules import StandinMisuse

oldest = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
newest = pytest.mark.parametrize("gpu", ["11.4.0"], indirect=True)
weak = pytest.mark.parametrize("gpu", ["10.3.0", "10.16.1"], indirect=True)


def test_the_inspector_tells_precisions_by_name(gpu: StandinGpu, tmp_path: Path) -> None:
    trt, log = gpu.trt, logger(gpu.trt)
    builder, network = parsed(trt, log, quantised(tmp_path).read_bytes())
    config = config_of(builder, {"x": ((1, 4), (1, 4), (2, 4))})
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if gpu.version.startswith("10"):
        config.set_flag(trt.BuilderFlag.FP16)
        config.set_flag(trt.BuilderFlag.INT8)
    with current(gpu):
        plan = builder.build_serialized_network(network, config)
        inspector = trt.Runtime(log).deserialize_cuda_engine(plan).create_engine_inspector()
        told = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
        del inspector
    key = "DataType" if gpu.version == "11.4.0" else "Format/Datatype"
    assert ("I/O Tensors" in told) == (gpu.version == "11.4.0")
    assert [layer["Outputs"][0][key].split()[-1] for layer in told["Layers"]].count("INT8") == 1


def quantised(folder: Path, zero_point: int = 0) -> Path:
    """x [n, 4] through Q, DQ and a product with a quantised matrix."""
    constants = {"scale": np.float32(0.1), "zero": np.int8(zero_point), "w": np.ones((4, 2), np.float32)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("MatMul", ["d", "w"], ["y"]),
    ]
    return save(folder / "q.onnx", nodes, {"x": ["n", 4]}, {"y": ["n", 2]}, constants)


@weak
def test_weak_typing_needs_the_int8_flag_for_q_and_dq(gpu: StandinGpu, tmp_path: Path) -> None:
    log = logger(gpu.trt)
    builder, network = parsed(gpu.trt, log, quantised(tmp_path).read_bytes())
    config = config_of(builder, {"x": ((1, 4), (1, 4), (2, 4))})
    assert builder.build_serialized_network(network, config) is None
    assert "int8 is not configured" in log.lines[-1]
    config.set_flag(gpu.trt.BuilderFlag.INT8)
    assert builder.build_serialized_network(network, config) is not None


@weak
def test_strong_typing_takes_no_precision_flags(gpu: StandinGpu, tmp_path: Path) -> None:
    trt, log = gpu.trt, logger(gpu.trt)
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    builder, network = parsed(trt, log, quantised(tmp_path).read_bytes(), flags)
    config = config_of(builder, {"x": ((1, 4), (1, 4), (2, 4))})
    assert builder.build_serialized_network(network, config) is not None
    config.set_flag(trt.BuilderFlag.FP16)
    assert builder.build_serialized_network(network, config) is None
    assert "strongly typed" in log.lines[-1]


@newest
def test_version_11_has_no_weak_typing(gpu: StandinGpu) -> None:
    trt = gpu.trt
    for owner, name in (
        (trt.BuilderFlag, "FP16"), (trt.BuilderFlag, "INT8"), (trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"),
        (trt, "IInt8EntropyCalibrator2"), (trt.ICudaEngine, "device_memory_size"),
        (trt.ICudaEngine, "create_execution_context_without_device_memory"), (trt.Builder, "platform_has_fast_fp16"),
    ):  # fmt: skip
        assert not hasattr(owner, name)


@oldest
def test_a_bit_of_another_version_is_no_flag(gpu: StandinGpu) -> None:
    assert gpu.trt.Builder(logger(gpu.trt)).create_network(1 << 2) is None


def test_what_the_api_does_not_name_is_not_there(gpu: StandinGpu, tmp_path: Path) -> None:
    trt = gpu.trt
    for owner, name in ((trt, "Typo"), (trt.IExecutionContext, "execute_async_v2"), (trt.Builder, "max_batch_size")):
        with pytest.raises(AttributeError):
            getattr(owner, name)
    config = trt.Builder(logger(trt)).create_builder_config()
    with pytest.raises(AttributeError):
        config.max_workspace_size = 1
    with pytest.raises(AttributeError):
        config.num_optimization_profiles = 1


def test_arguments_that_fit_no_overload_are_type_errors(gpu: StandinGpu) -> None:
    trt = gpu.trt
    builder = trt.Builder(logger(trt))
    config = builder.create_builder_config()
    for wrong in (
        trt.Builder, lambda: trt.Runtime(None), trt.ICudaEngine,
        lambda: builder.create_network(1.0), lambda: builder.create_network(flag=1),
        lambda: config.set_flag(1), lambda: config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1e9),
        lambda: config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE),
        lambda: builder.create_optimization_profile().set_shape("x", (1,), (1,)),
        lambda: builder.create_optimization_profile().set_shape("x", (1.0,), (1,), (1,)),
        lambda: trt.OnnxParser(builder.create_network(0), logger(trt)).parse("text"),
        lambda: 1 << trt.BuilderFlag.TF32, lambda: setattr(config, "profiling_verbosity", 2),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()
    assert int(trt.BuilderFlag.TF32) != trt.BuilderFlag.TF32


def test_shapes_equal_tuples_and_nothing_else(gpu: StandinGpu) -> None:
    profile = gpu.trt.Builder(logger(gpu.trt)).create_optimization_profile()
    profile.set_shape("x", (1, 2), gpu.trt.Dims([1, 3]), [1, 4])
    least, _, most = profile.get_shape("x")
    assert least == (1, 2)
    assert tuple(most) == (1, 4)
    for wrong in (lambda: least == most, lambda: {least: 1}):
        with pytest.raises(TypeError):
            wrong()


def test_what_is_not_modelled_says_so(gpu: StandinGpu) -> None:
    with pytest.raises(NotImplementedError, match="get_plugin_registry"):
        gpu.trt.Builder(logger(gpu.trt)).get_plugin_registry()


def test_a_logger_that_forgets_its_base_is_refused(gpu: StandinGpu) -> None:
    class Log(gpu.trt.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.lines: list[str] = []

    with pytest.raises(TypeError, match="must be called when overriding"):
        Log()


def test_bytes_of_the_library_are_a_buffer_without_a_length(gpu: StandinGpu, tmp_path: Path) -> None:
    builder, network = parsed(gpu.trt, logger(gpu.trt), made_up(tmp_path).read_bytes())
    plan = builder.build_serialized_network(network, config_of(builder))
    assert len(bytes(plan)) == plan.nbytes == memoryview(plan).nbytes
    for wrong in (lambda: len(plan), lambda: plan[0]):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(AttributeError):
        plan.decode()


def test_a_network_without_its_profile_is_not_built(gpu: StandinGpu, tmp_path: Path) -> None:
    log = logger(gpu.trt)
    builder, network = parsed(gpu.trt, log, made_up(tmp_path).read_bytes())
    assert builder.build_serialized_network(network, builder.create_builder_config()) is None
    assert "no optimization profile" in log.lines[-1]
    whole = {"picture": ((1, 3, 4, 4),) * 3, "gain": ((1, 1),) * 3}
    for name, shapes in (
        ("gain", None),
        ("picture", ((1, 4, 4, 4),) * 3),
        ("picture", ((1, 3, 4),) * 3),
        ("z", ((1,),) * 3),
    ):
        profile = {**whole, name: shapes}
        config = config_of(builder, {n: s for n, s in profile.items() if s})
        assert builder.build_serialized_network(network, config) is None
        assert name in log.lines[-1]


def test_a_profile_out_of_order_raises_and_an_empty_one_is_refused(gpu: StandinGpu, tmp_path: Path) -> None:
    builder, network = parsed(gpu.trt, logger(gpu.trt), made_up(tmp_path).read_bytes())
    profile, config = builder.create_optimization_profile(), builder.create_builder_config()
    with pytest.raises(RuntimeError, match="inconsistent"):
        profile.set_shape("gain", (2, 1), (1, 1), (4, 1))
    assert config.add_optimization_profile(profile) == -1
    with pytest.raises(StandinMisuse, match="add_optimization_profile"):
        builder.build_serialized_network(network, config)


def test_the_parser_says_what_it_does_not_take(gpu: StandinGpu, tmp_path: Path) -> None:
    foreign = save(tmp_path / "f.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, {"y": [1]})
    model = onnx.load(foreign)
    model.graph.node[0].domain = "com.microsoft"
    double = save(
        tmp_path / "d.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, {"y": [1]}, None,
        {"x": TensorProto.DOUBLE, "y": TensorProto.DOUBLE},
    )  # fmt: skip
    for content, node, words in (
        (b"no network", -1, "Failed to parse"), (b"", -1, "no outputs"),
        (model.SerializeToString(), 0, "No importer"), (double.read_bytes(), -1, "DOUBLE"),
        (quantised(tmp_path, zero_point=3).read_bytes(), 0, "symmetric"),
    ):  # fmt: skip
        network = gpu.trt.Builder(logger(gpu.trt)).create_network(0)
        parser = gpu.trt.OnnxParser(network, logger(gpu.trt))
        assert not parser.parse(content)
        error = parser.get_error(0)
        assert (error.node(), words in error.desc()) == (node, True)
        assert isinstance(error.code(), gpu.trt.ErrorCode)


def test_a_refused_network_cannot_be_built(gpu: StandinGpu) -> None:
    builder = gpu.trt.Builder(logger(gpu.trt))
    network = builder.create_network(0)
    gpu.trt.OnnxParser(network, logger(gpu.trt)).parse(b"")
    with pytest.raises(StandinMisuse, match="parse answered False"):
        builder.build_serialized_network(network, builder.create_builder_config())


def monitor(trt: Any, answer: Any) -> Any:
    """Keeps what it is told in `told`; answers every step with `answer(phase, step)`."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.told: list[tuple[Any, ...]] = []

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self.told.append(("start", phase_name, parent_phase, num_steps))

        def step_complete(self, phase_name: str, step: int) -> Any:
            self.told.append(("step", phase_name, step))
            return answer(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            self.told.append(("finish", phase_name))

    return Monitor()


def test_a_monitor_sees_nested_phases_and_may_cancel(gpu: StandinGpu, tmp_path: Path) -> None:
    log = logger(gpu.trt)
    builder, network = parsed(gpu.trt, log, made_up(tmp_path).read_bytes())
    config = config_of(builder)
    config.progress_monitor = patient = monitor(gpu.trt, lambda phase, step: True)
    assert builder.build_serialized_network(network, config) is not None
    first, last = patient.told[0], patient.told[-1]
    assert (first[0], first[2], last) == ("start", None, ("finish", first[1]))
    assert {told[2] for told in patient.told[1:] if told[0] == "start"} == {first[1]}
    config.progress_monitor = monitor(gpu.trt, lambda phase, step: step < 2)
    assert builder.build_serialized_network(network, config) is None
    assert "cancelled" in log.lines[-1]
    config.progress_monitor = monitor(gpu.trt, lambda phase, step: None)
    with pytest.raises(StandinMisuse, match="step_complete answered None"):
        builder.build_serialized_network(network, config)


def test_a_timing_cache_is_bound_to_its_device(
    gpu: StandinGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder, network = parsed(gpu.trt, logger(gpu.trt), made_up(tmp_path).read_bytes())
    config = config_of(builder)
    cache = config.create_timing_cache(b"")
    assert config.set_timing_cache(cache, False)
    config.progress_monitor = cold = monitor(gpu.trt, lambda phase, step: True)
    builder.build_serialized_network(network, config)
    config = config_of(builder)
    assert config.set_timing_cache(config.create_timing_cache(bytes(cache.serialize())), False)
    config.progress_monitor = warm = monitor(gpu.trt, lambda phase, step: True)
    builder.build_serialized_network(network, config)
    assert len(warm.told) < len(cold.told)
    monkeypatch.setenv("FACEEDGE_STANDIN_GPU", "another")
    other = builder.create_builder_config()
    foreign = other.create_timing_cache(bytes(cache.serialize()))
    assert not other.set_timing_cache(foreign, False)
    assert other.set_timing_cache(foreign, True)
    assert other.create_timing_cache(b"no cache") is None


@oldest
def test_without_a_device_nothing_begins(gpu: StandinGpu) -> None:
    for made in (gpu.trt.Builder, gpu.trt.Runtime):
        gpu.fail("cuInit", 100)
        with pytest.raises(TypeError, match="nullptr"):
            made(logger(gpu.trt))


@oldest
def test_the_environment_makes_builds_fail(gpu: StandinGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = logger(gpu.trt)
    builder, network = parsed(gpu.trt, log, made_up(tmp_path).read_bytes())
    monkeypatch.setenv("FACEEDGE_STANDIN_BUILD_FAIL", "no tactic")
    assert builder.build_serialized_network(network, config_of(builder)) is None
    assert "no tactic" in log.lines[-1]


def test_a_child_process_finds_the_stand_ins(gpu: StandinGpu, tmp_path: Path) -> None:
    code = (
        "import tensorrt, pycuda.driver as c; c.init(); print(tensorrt.__version__, c.Device(0).compute_capability())"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout == f"{gpu.trt.__version__} (8, 7)\n"
