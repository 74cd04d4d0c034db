"""The stand-in TensorRT: what the real one refuses it refuses, in three versions. Each rule is broken once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.contract.made_up import made_up
from tests.fakes.gpu import driver
from tests.fakes.gpu.example import Opened, current, logger, plan_of
from tests.fakes.gpu.fixture import StandinGpu
from tests.fakes.gpu.rules import StandinMisuse

oldest = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
newest = pytest.mark.parametrize("gpu", ["11.4.0"], indirect=True)
weak = pytest.mark.parametrize("gpu", ["10.3.0", "10.16.1"], indirect=True)


def test_an_engine_answers_what_onnx_runtime_answers(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        answers = opened.run()
        expected = onnxruntime.InferenceSession(made_up(tmp_path)).run(None, opened.given)
        np.testing.assert_array_equal(answers["scaled"], expected[0])
        np.testing.assert_array_equal(answers["total"], expected[1])
        del opened


def test_answers_are_there_after_the_wait_and_not_before(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        assert opened.start()
        assert not opened.host["scaled"].any()
        opened.stream.synchronize()
        assert opened.host["scaled"].any()
        del opened


def test_no_run_allocates(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        before = gpu.count("allocations")
        for _ in range(20):
            opened.run()
        assert gpu.count("allocations") == before
        del opened


def address_missing(opened: Opened) -> None:
    opened.context.set_tensor_address("total", 0)


def address_not_aligned(opened: Opened) -> None:
    opened.context.set_tensor_address("total", int(opened.device["total"]) + 4)


def arena_not_set(opened: Opened) -> None:
    opened.context = opened.engine.create_execution_context(
        type(opened.context)._trt.ExecutionContextAllocationStrategy(2)
    )
    for name, array in opened.given.items():
        opened.context.set_input_shape(name, array.shape)
    for name, memory in opened.device.items():
        opened.context.set_tensor_address(name, int(memory))


def arena_too_small(opened: Opened) -> None:
    opened.context.set_device_memory(int(opened.arena), opened.need - 256)


def arena_not_aligned(opened: Opened) -> None:
    opened.context.set_device_memory(int(opened.arena) + 8, opened.need)


def arena_outgrown(opened: Opened) -> None:
    opened.context.set_input_shape("picture", (4, 3, 16, 16))
    opened.context.set_input_shape("gain", (4, 1))


def shapes_do_not_match(opened: Opened) -> None:
    opened.context.set_input_shape("gain", (3, 1))


def profile_changed(opened: Opened) -> None:
    opened.context.set_optimization_profile_async(0, opened.stream.handle)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (address_missing, "address of total is not set"),
        (address_not_aligned, "address of total, .* not aligned"),
        (arena_not_set, "device memory of .* set are 0"),
        (arena_too_small, "device memory of .* is needed"),
        (arena_not_aligned, "device memory of .* set are 0"),
        (arena_outgrown, "device memory of .* is needed"),
        (shapes_do_not_match, "cannot run on"),
        (profile_changed, "shape of picture is not set"),
    ],
)
def test_a_run_is_refused(gpu: StandinGpu, tmp_path: Path, spoil: Any, line: str) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        spoil(opened)
        assert not opened.context.execute_async_v3(opened.stream.handle)
        assert re.search(line, opened.log.lines[-1])
        del opened


def test_a_run_is_refused_without_a_context(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
    assert not opened.context.execute_async_v3(opened.stream.handle)
    assert "no context" in opened.log.lines[-1]
    with current(gpu):
        del opened


@pytest.mark.parametrize("handle", [0, 4096])
def test_a_run_is_refused_on_what_is_no_stream(gpu: StandinGpu, tmp_path: Path, handle: int) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        assert not opened.context.execute_async_v3(handle)
        assert "is no stream" in opened.log.lines[-1]
        del opened


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("picture", (5, 3, 8, 8)),
        ("picture", (1, 3, 3, 4)),
        ("picture", (3, 8, 8)),
        ("scaled", (1, 3, 4, 4)),
        ("x", (1,)),
    ],
)
def test_shapes_outside_the_profile_are_refused(gpu: StandinGpu, tmp_path: Path, name: str, shape: Any) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        assert not opened.context.set_input_shape(name, shape)
        assert name in opened.log.lines[-1]
        with pytest.raises(StandinMisuse, match="nobody looked"):
            opened.start()
        assert opened.context.set_input_shape("picture", (2, 3, 8, 8))
        opened.run()
        del opened


def test_an_unknown_name_for_an_address_is_refused(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        assert not opened.context.set_tensor_address("Total", int(opened.device["total"]))
        with pytest.raises(StandinMisuse, match="set_tensor_address answered False"):
            opened.start()
        del opened


def test_a_refused_run_that_nobody_looked_at_answers_nan(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        opened.run()
        arena_too_small(opened)
        assert not opened.start()
        opened.stream.synchronize()
        assert np.isnan(opened.host["scaled"]).all()
        del opened


@pytest.mark.parametrize("what", ["picture", "scaled", "arena"])
def test_freed_memory_is_an_illegal_address(gpu: StandinGpu, tmp_path: Path, what: str) -> None:
    gpu.forgive("uses_after_free")
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        (opened.arena if what == "arena" else opened.device[what]).free()
        assert opened.context.execute_async_v3(opened.stream.handle)
        with pytest.raises(gpu.cuda.Error, match="illegal memory access"):
            opened.stream.synchronize()
        with pytest.raises(gpu.cuda.Error, match="illegal memory access"):
            gpu.cuda.mem_alloc(16)
        driver.library().standin_reset()  # what no real process can do
        del opened


def test_a_run_overwrites_the_arena(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        opened = Opened(gpu, tmp_path)
        gpu.cuda.memset_d8(int(opened.arena), 7, opened.need)
        opened.run()
        left = np.zeros(opened.need, np.uint8)
        gpu.cuda.memcpy_dtoh(left, opened.arena)
        assert not (left == 7).any()
        del opened


def test_memory_of_the_library_counts_and_is_given_back(gpu: StandinGpu, tmp_path: Path) -> None:
    with current(gpu):
        plan, log, before = plan_of(gpu.trt, tmp_path), logger(gpu.trt), gpu.count("live_device")
        engine = gpu.trt.Runtime(log).deserialize_cuda_engine(plan)
        assert gpu.count("live_device") == before + 1
        context = engine.create_execution_context()
        assert gpu.count("live_device") == before + 2
        del context, engine
        assert gpu.count("live_device") == before


def test_an_engine_dropped_without_a_context_leaks(gpu: StandinGpu, tmp_path: Path) -> None:
    gpu.forgive("live_device", "without_context")
    before = gpu.count("live_device")
    with current(gpu):
        engine = gpu.trt.Runtime(logger(gpu.trt)).deserialize_cuda_engine(plan_of(gpu.trt, tmp_path))
    del engine
    assert gpu.count("live_device") == before + 1


def test_a_plan_is_not_taken_without_context_or_memory(gpu: StandinGpu, tmp_path: Path) -> None:
    plan, log = plan_of(gpu.trt, tmp_path), logger(gpu.trt)
    runtime = gpu.trt.Runtime(log)
    assert runtime.deserialize_cuda_engine(plan) is None
    assert "no context" in log.lines[-1]
    with current(gpu):
        gpu.fail("cuMemAlloc", 2)
        assert runtime.deserialize_cuda_engine(plan) is None
    assert "OutOfMemory" in log.lines[-1]


def test_a_damaged_plan_is_none(gpu: StandinGpu, tmp_path: Path) -> None:
    plan, log = plan_of(gpu.trt, tmp_path), logger(gpu.trt)
    runtime, random = gpu.trt.Runtime(log), np.random.default_rng(4)
    with current(gpu):
        for cut in random.integers(0, len(plan), 50):
            assert runtime.deserialize_cuda_engine(plan[:cut]) is None
        for place in random.integers(0, len(plan), 50):
            altered = bytearray(plan)
            altered[place] ^= 1 + int(random.integers(0, 255))
            assert runtime.deserialize_cuda_engine(altered) is None
        assert len(log.lines) == 100


@pytest.mark.parametrize(("name", "value"), [("FACEEDGE_STANDIN_GPU", "Nano"), ("FACEEDGE_STANDIN_COMPUTE", "8.6")])
def test_a_plan_of_another_device_is_none(
    gpu: StandinGpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    plan, log = plan_of(gpu.trt, tmp_path), logger(gpu.trt)
    monkeypatch.setenv(name, value)
    with current(gpu):
        assert gpu.trt.Runtime(log).deserialize_cuda_engine(plan) is None
    assert "incompatible device" in log.lines[-1]


def test_a_plan_of_another_version_is_none(gpu: StandinGpu, tmp_path: Path) -> None:
    from tests.fakes.gpu.module import load

    other = load("10.16.1" if gpu.version == "10.3.0" else "10.3.0")
    log = logger(gpu.trt)
    with current(gpu):
        assert gpu.trt.Runtime(log).deserialize_cuda_engine(plan_of(other, tmp_path)) is None
    assert "not compatible with this version" in log.lines[-1]
