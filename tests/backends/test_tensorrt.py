"""What the TensorRT engine does beyond the contract (tests/contract), over the stand-ins."""

from __future__ import annotations

import gc
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from faceedge.backends.base import Memory, Tensor
from faceedge.backends.tensorrt import TensorRtEngine
from faceedge.errors import DeviceLost, EngineError, MissingExtra, NoDeviceMemory
from tests.backends.conftest import Box
from tests.contract.made_up import PICTURE, save
from tests.contract.networks import MADE_UP

OUT_OF_MEMORY, ILLEGAL_ADDRESS = 2, 700
pytestmark = pytest.mark.parametrize("gpu", ["10.16.1"], indirect=True)  # tests/contract runs all versions


def doubler(folder: Path) -> Path:
    """y is twice x [batch, 3, height, width]."""
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    return save(folder / "doubler.onnx", nodes, {"x": PICTURE}, {"y": PICTURE})


def of_size(batch: int, side: int) -> dict[str, Tensor]:
    return {"picture": np.ones((batch, 3, side, side), np.float32), "gain": np.ones((batch, 1), np.float32)}


def test_inputs_on_the_device_are_used_where_they_are(engine: TensorRtEngine, box: Box) -> None:
    batch = MADE_UP.batch(3)
    expected = engine.infer(batch)["scaled"].copy()
    tensors = {name: box.carried(array) for name, array in batch.items()}
    up, down = box.counts("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync")
    np.testing.assert_array_equal(engine.infer(tensors)["scaled"], expected)
    assert box.counts("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync") == (up, down + 1)
    np.testing.assert_array_equal(box.gpu.fetch(tensors["picture"]), batch["picture"])


def test_one_input_may_be_on_the_device_and_another_on_the_host(engine: TensorRtEngine, box: Box) -> None:
    batch = MADE_UP.batch(2)
    expected = engine.infer(batch)["total"].copy()
    for moved in batch:
        mixed = {**batch, moved: box.carried(batch[moved])}
        np.testing.assert_array_equal(engine.infer(mixed)["total"], expected)


def test_an_array_on_the_device_is_checked_as_one_on_the_host(engine: TensorRtEngine, box: Box) -> None:
    batch = MADE_UP.batch(2)
    tensor = box.carried(batch["picture"])
    for spoilt in (
        replace(tensor, dtype="float16"),
        replace(tensor, shape=tensor.shape[1:]),
        replace(tensor, shape=(9, *tensor.shape[1:])),
        replace(tensor, shape=(1, *tensor.shape[1:]), pointer=tensor.pointer + 4),
    ):
        with pytest.raises(EngineError, match="picture"):
            engine.infer({"picture": spoilt, "gain": batch["gain"][: spoilt.shape[0]]})


def test_a_call_copies_all_inputs_at_once_and_all_outputs_at_once_from_pinned_memory(
    engine: TensorRtEngine, box: Box
) -> None:
    engine.infer(MADE_UP.batch(2))
    names = ("cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuEventSynchronize", "pageable_copies", "spinning_waits")
    before = box.counts(*names)
    engine.infer(MADE_UP.batch(2))
    assert np.subtract(box.counts(*names), before).tolist() == [1, 1, 1, 0, 0]


def test_two_networks_share_one_block_and_take_turns_in_it(engine: TensorRtEngine, box: Box, tmp_path: Path) -> None:
    other = box.open(box.plan(doubler(tmp_path), 8))
    (blocks,) = box.counts("live_device")
    for side, size in ((4, 1), (100, 8), (8, 2)):
        batch = MADE_UP.batch(size % 4 + 1)
        expected = engine.infer(batch)["scaled"].copy()
        picture = np.full((size, 3, side, side), side, np.float32)
        np.testing.assert_array_equal(other.infer({"x": picture})["y"], picture * 2)
        np.testing.assert_array_equal(engine.infer(batch)["scaled"], expected)
    assert box.counts("live_device") == (blocks + 1,), "weights apart, that is the arena"
    large = box.arena.size
    other.close()
    assert 0 < box.arena.size < large
    np.testing.assert_array_equal(engine.infer(batch)["scaled"], expected)


def test_the_arena_goes_with_the_last_engine_and_pinned_memory_with_the_last_answer(box: Box, plan: bytes) -> None:
    before = box.counts("live_device", "live_pinned")
    engine = box.open(plan)
    answer = engine.infer(MADE_UP.batch(1))
    engine.close()
    assert box.counts("live_device", "live_pinned") == (before[0], before[1] + 1)
    held = answer.pop("scaled")
    del answer
    box.settle()
    assert np.isfinite(held).all()
    del held
    assert box.counts("live_device", "live_pinned") == before


def test_an_engine_that_nobody_closed_is_freed_on_the_gpu_thread(box: Box, plan: bytes) -> None:
    before = box.counts("live_device", "live_pinned")
    engine = box.open(plan)
    engine.infer(MADE_UP.batch(1))
    thread = threading.Thread(target=engine.infer, args=(MADE_UP.batch(2),))
    thread.start()
    thread.join(60)
    del engine, thread
    gc.collect()
    box.gpu.run(lambda: box.arena.leave(box))  # it looks anew whenever somebody comes or goes
    assert box.counts("live_device", "live_pinned") == before


def test_an_error_keeps_nothing_of_the_engine_alive(box: Box, plan: bytes) -> None:
    before = box.counts("live_device", "live_pinned")
    engine = box.open(plan)
    engine.infer(MADE_UP.batch(1))
    gc.collect()
    gc.disable()  # what waits for a collection is freed who knows when, and by whom
    try:
        for wrong in (of_size(1, 200), of_size(5, 4), {}):
            with pytest.raises(EngineError):
                engine.infer(wrong)
        box.standin.fail("cuMemHostAlloc", OUT_OF_MEMORY, times=9)
        with pytest.raises(NoDeviceMemory):
            engine.infer(of_size(4, 128))
        box.standin.fail("cuMemHostAlloc", 0)
        engine.close()
        del engine
        assert box.counts("live_device", "live_pinned") == before
    finally:
        gc.enable()


def test_a_thread_that_ends_leaves_no_pinned_memory(engine: TensorRtEngine, box: Box) -> None:
    engine.infer(MADE_UP.batch(1))
    held, pinned = engine.memory.working, box.counts("live_pinned")
    thread = threading.Thread(target=engine.infer, args=(MADE_UP.batch(1),))
    thread.start()
    thread.join(60)
    del thread
    assert box.counts("live_pinned") == pinned
    assert engine.memory.working == held


def test_a_trim_fits_pinned_memory_and_the_arena_to_the_next_call(engine: TensorRtEngine, box: Box) -> None:
    engine.infer(of_size(4, 100))
    engine.infer(of_size(4, 10))
    large, pinned = box.arena.size, box.counts("live_pinned_bytes")
    engine.trim()
    engine.infer(of_size(4, 10))
    assert box.arena.size < large
    assert box.counts("live_pinned_bytes") < pinned


def test_after_a_halving_arena_and_pinned_memory_are_half_and_idle_they_are_gone(
    engine: TensorRtEngine, box: Box
) -> None:
    engine.infer(of_size(4, 100))
    held = engine.memory.working, box.arena.size, *box.counts("live_pinned_bytes")
    engine.trim()
    engine.infer(of_size(4, 100))  # was under way
    engine.infer(of_size(2, 100))
    now = engine.memory.working, box.arena.size, *box.counts("live_pinned_bytes")
    assert all(after <= 0.6 * before for after, before in zip(now, held, strict=True)), (held, now)
    engine.trim()
    engine.tidy()
    assert engine.memory.working == 0
    assert box.arena.size == 0
    assert box.counts("live_pinned_bytes")[0] < now[2]


def test_more_forms_than_are_remembered_ask_for_no_memory_either(engine: TensorRtEngine, box: Box) -> None:
    for side in range(30, 5, -1):
        engine.infer(of_size(1, side))
    asked = box.counts("allocations")
    for side in range(30, 5, -1):
        engine.infer(of_size(1, side))
    assert box.counts("allocations") == asked


def test_a_size_outside_the_profile_is_refused_with_both(engine: TensorRtEngine) -> None:
    with pytest.raises(EngineError, match=r"picture: \(1, 3, 200, 200\) is outside .* \(4, 3, 128, 128\)"):
        engine.infer(of_size(1, 200))


def test_a_network_whose_outputs_depend_on_values_is_refused(
    engine: TensorRtEngine, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    dims = box.standin.trt.Dims
    monkeypatch.setattr(box.standin.trt.IExecutionContext, "get_tensor_shape", lambda context, name: dims([1, -1]))
    with pytest.raises(EngineError, match=r"scaled: its shape .* is not known"):
        engine.infer(MADE_UP.batch(1))


def test_without_memory_the_engine_says_so_and_goes_on_with_what_fits(engine: TensorRtEngine, box: Box) -> None:
    expected = engine.infer(MADE_UP.batch(1))["scaled"].copy()
    for call in ("cuMemHostAlloc", "cuMemAlloc"):
        box.standin.fail(call, OUT_OF_MEMORY, times=9)  # pycuda tries again after a collection
        with pytest.raises(NoDeviceMemory):
            engine.infer(of_size(4, 128))
        box.standin.fail(call, 0)
        np.testing.assert_array_equal(engine.infer(MADE_UP.batch(1))["scaled"], expected)
    engine.infer(of_size(4, 128))


def test_without_memory_for_the_weights_nobody_blames_the_plan(box: Box, plan: bytes) -> None:
    box.standin.fail("cuMemAlloc", OUT_OF_MEMORY)
    with pytest.raises(NoDeviceMemory, match=r"does not take the plan: .*OutOfMemory.*free memory"):
        box.open(plan)
    box.open(plan).close()


def test_after_an_illegal_address_every_call_says_that_the_device_is_lost(box: Box, engine: TensorRtEngine) -> None:
    box.standin.forgive("live_device", "live_pinned", "live_streams", "live_events")  # nothing can be freed any more
    engine.infer(MADE_UP.batch(1))
    box.standin.fail("cuEventSynchronize", ILLEGAL_ADDRESS)
    for _ in range(3):
        with pytest.raises(DeviceLost):
            engine.infer(MADE_UP.batch(1))
    engine.close()
    assert engine.memory == Memory(0, 0)


def test_closing_lets_the_call_at_hand_end_and_refuses_the_next(engine: TensorRtEngine, box: Box) -> None:
    busy, go_on = threading.Event(), threading.Event()
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(engine.infer(MADE_UP.batch(1)))
        except EngineError as error:
            answers.append(str(error))

    def hold() -> None:
        busy.set()
        go_on.wait(60)

    engine.infer(MADE_UP.batch(1))
    threads = [threading.Thread(target=work) for work in (lambda: box.gpu.run(hold), ask, engine.close)]
    threads[0].start()
    busy.wait(60)
    for thread in threads[1:]:
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert "scaled" in answers[0] or "closed" in answers[0]
    with pytest.raises(EngineError, match="closed"):
        engine.infer(MADE_UP.batch(1))
    answers.clear()


def test_without_tensorrt_the_extra_is_named(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtra, match=r"JetPack.*faceedge\[jetson\]"):
        box.open(b"plan")
