"""An engine that is replaced while it is used: nothing is lost, nothing is closed too early, nothing stays open."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from faceedge.backends.base import Canvas, CropSpec, DeviceTensor, Input, Level, Memory, Tensor, TensorSpec
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.switch import Inner, SwitchEngine, SwitchPreprocessor
from faceedge.errors import EngineError
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

INPUT = TensorSpec("x", "float32", (-1, 3, -1, -1))
OUTPUT = TensorSpec("y", "float32", (-1, 1))
NORM = Normalisation(colour="bgr")
CANVAS = Canvas(8, 8, (Level(0, 0, 8, 8),))


class Sums:
    """Answers with the sum of each row, plus `mark`. gate: a call waits for it, after `entered` was set."""

    def __init__(self, mark: float = 0.0, max_batch: int = 8, gate: threading.Event | None = None) -> None:
        self.inputs: tuple[TensorSpec, ...] = (INPUT,)
        self.outputs: tuple[TensorSpec, ...] = (OUTPUT,)
        self.max_batch = max_batch
        self.device = f"fake:{mark:g}"
        self.batches: list[int] = []
        self.closed = self.trims = 0
        self.entered = threading.Event()
        self._mark, self._gate = mark, gate
        self._answers = np.zeros((max_batch, 1), np.float32)

    def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
        array = arrays["x"]
        assert isinstance(array, np.ndarray), "only an engine on a device reads there"
        if self.closed:
            raise EngineError("closed")
        if len(array) > self.max_batch:
            raise EngineError("batch too large")
        self.entered.set()
        if self._gate is not None:
            assert self._gate.wait(10)
        assert not self.closed, "closed under a call"
        self.batches.append(len(array))
        self._answers[: len(array), 0] = array.sum(axis=(1, 2, 3)) + self._mark
        return {"y": self._answers[: len(array)]}

    @property
    def memory(self) -> Memory:
        return Memory(0, 0) if self.closed else Memory(10, 1)

    def trim(self) -> None:
        self.trims += 1

    def close(self) -> None:
        self.closed += 1


def rows(count: int, side: int = 2) -> dict[str, Input]:
    return {"x": np.arange(count * 3 * side * side, dtype=np.float32).reshape(count, 3, side, side)}


def wanted(arrays: Mapping[str, Input], mark: float = 0.0) -> Tensor:
    array = arrays["x"]
    assert isinstance(array, np.ndarray)
    return np.asarray(array.sum(axis=(1, 2, 3))[:, None] + mark)


def test_calls_after_the_switch_run_on_the_new_engine_and_the_old_one_is_closed() -> None:
    old, new = Sums(1), Sums(2, max_batch=4)
    engine = SwitchEngine(Inner(old))
    assert engine.infer(rows(2))["y"] == pytest.approx(wanted(rows(2), 1))
    engine.replace(Inner(new))
    assert engine.infer(rows(2))["y"] == pytest.approx(wanted(rows(2), 2))
    assert (old.closed, new.closed) == (1, 0)
    assert (engine.max_batch, engine.device, engine.memory) == (4, "fake:2", Memory(10, 1))


def test_a_call_in_flight_ends_on_the_old_engine_which_is_closed_only_then() -> None:
    gate = threading.Event()
    old, new = Sums(1, gate=gate), Sums(2)
    engine = SwitchEngine(Inner(old))
    answers: list[Tensor] = []
    caller = threading.Thread(target=lambda: answers.append(np.array(engine.infer(rows(3))["y"])))
    caller.start()
    assert old.entered.wait(10)
    engine.replace(Inner(new))
    assert engine.infer(rows(1))["y"] == pytest.approx(wanted(rows(1), 2)), "the switch waits for nobody"
    assert not old.closed
    gate.set()
    caller.join(10)
    assert answers[0] == pytest.approx(wanted(rows(3), 1))
    assert old.closed


def test_two_callers_are_inside_at_the_same_time() -> None:
    meeting = threading.Barrier(2)

    class Meeting(Sums):
        def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
            meeting.wait(10)
            return {}

    engine = SwitchEngine(Inner(Meeting()))
    callers = [threading.Thread(target=engine.infer, args=(rows(1),)) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert not meeting.broken


def test_a_hundred_switches_under_four_callers_lose_no_answer() -> None:
    engine = SwitchEngine(Inner(Sums()))
    faults: list[BaseException] = []
    stop = threading.Event()

    def call(count: int) -> None:
        try:
            while not stop.is_set():
                arrays = rows(count)
                np.testing.assert_allclose(engine.infer(arrays)["y"], wanted(arrays))
        except BaseException as error:
            faults.append(error)

    class Private(Sums):
        """Its answers belong to the call, as other threads call too."""

        def infer(self, arrays: Mapping[str, Input]) -> dict[str, Tensor]:
            array = arrays["x"]
            assert isinstance(array, np.ndarray)
            assert not self.closed
            assert len(array) <= self.max_batch
            return {"y": wanted(arrays)}

    engine.replace(Inner(Private()))
    callers = [threading.Thread(target=call, args=(1 + number,)) for number in range(4)]
    for caller in callers:
        caller.start()
    later = [Private(0, max_batch=1 + number % 5) for number in range(100)]
    for new in later:
        engine.replace(Inner(new))
    stop.set()
    for caller in callers:
        caller.join(10)
    assert not faults
    assert [new.closed > 0 for new in later] == [True] * 99 + [False]


def test_a_batch_made_for_the_larger_engine_is_split_for_the_smaller_one() -> None:
    new = Sums(max_batch=3)
    engine = SwitchEngine(Inner(Sums(max_batch=8)))
    arrays = rows(8)
    engine.replace(Inner(new))
    assert engine.infer(arrays)["y"] == pytest.approx(wanted(arrays))
    assert new.batches == [3, 3, 2]
    with pytest.raises(EngineError, match="batch too large"):
        engine.infer(rows(9))  # nobody was ever told that this is possible


@pytest.mark.parametrize(
    ("what", "specs"),
    [
        ("inputs", (TensorSpec("z", "float32", (-1, 3, -1, -1)),)),
        ("inputs", (TensorSpec("x", "float16", (-1, 3, -1, -1)),)),
        ("inputs", (TensorSpec("x", "float32", (1, 3, -1, -1)),)),
        ("inputs", (TensorSpec("x", "float32", (-1, 1, -1, -1)),)),
        ("outputs", (TensorSpec("y", "float32", (-1, 2)),)),
        ("outputs", ()),
    ],
)
def test_an_engine_of_other_inputs_or_outputs_is_refused_and_closed(what: str, specs: Sequence[TensorSpec]) -> None:
    old, new = Sums(1), Sums(2)
    setattr(new, what, tuple(specs))
    engine = SwitchEngine(Inner(old))
    with pytest.raises(EngineError):
        engine.replace(Inner(new))
    assert engine.infer(rows(1))["y"] == pytest.approx(wanted(rows(1), 1))
    assert (old.closed, new.closed) == (0, 1)


def test_sizes_may_be_free_in_one_and_fixed_in_the_other() -> None:
    new = Sums(2)
    new.inputs = (TensorSpec("x", "float32", (-1, 3, 2, 2)),)
    engine = SwitchEngine(Inner(Sums(1)))
    engine.replace(Inner(new))
    assert engine.device == "fake:2"


def test_after_close_nothing_runs_and_an_engine_that_comes_late_is_closed_too() -> None:
    old, late = Sums(1), Sums(2)
    engine = SwitchEngine(Inner(old))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(rows(1))
    with pytest.raises(EngineError, match="closed"):
        engine.replace(Inner(late))
    assert old.closed
    assert late.closed


def test_close_waits_for_the_call_in_flight_to_end_on_its_own_thread() -> None:
    gate = threading.Event()
    inner = Sums(gate=gate)
    engine = SwitchEngine(Inner(inner))
    caller = threading.Thread(target=engine.infer, args=(rows(1),))
    caller.start()
    assert inner.entered.wait(10)
    engine.close()
    assert not inner.closed
    gate.set()
    caller.join(10)
    assert inner.closed


def test_a_shape_outside_the_bounds_runs_on_a_spare_engine_opened_once() -> None:
    opened: list[Sums] = []

    def spare() -> Sums:
        opened.append(Sums(7))
        return opened[-1]

    engine = SwitchEngine(Inner(Sums(1), {"x": ((1, 3, 2, 2), (4, 3, 4, 4))}), spare)
    assert engine.infer(rows(2, side=4))["y"] == pytest.approx(wanted(rows(2, side=4), 1))
    assert not opened
    for _ in range(2):
        assert engine.infer(rows(2, side=5))["y"] == pytest.approx(wanted(rows(2, side=5), 7))
    assert len(opened) == 1
    assert engine.misfit == "(2, 3, 5, 5)"
    engine.trim()
    engine.close()
    assert (opened[0].trims, opened[0].closed) == (1, 1)


def test_a_switch_in_the_middle_of_choosing_an_engine_chooses_again() -> None:
    old, new, spare = Sums(1), Sums(2), Sums(7)

    class Switching(dict[str, tuple[tuple[int, ...], tuple[int, ...]]]):
        """Bounds that take everything, at the price of a switch."""

        def items(self) -> Any:
            engine.replace(Inner(new, {"x": ((1, 3, 2, 2), (8, 3, 2, 2))}))
            return ()

    engine = SwitchEngine(Inner(old, Switching(x=((), ()))), lambda: spare)
    assert engine.infer(rows(1, side=4))["y"] == pytest.approx(wanted(rows(1, side=4), 7))
    assert old.closed


def test_a_tensor_on_the_device_is_fetched_for_an_engine_that_cannot_read_there() -> None:
    there = DeviceTensor(1234, (2, 3, 2, 2), "float32", None)
    arrays = rows(2)

    def fetch(tensor: DeviceTensor) -> Tensor:
        assert tensor is there
        array = arrays["x"]
        assert isinstance(array, np.ndarray)
        return array

    on_device = Inner(Sums(1), {"x": ((1, 3, 8, 8), (4, 3, 8, 8))}, fetch)
    engine = SwitchEngine(on_device, lambda: Sums(7))
    assert engine.reads_device
    assert engine.infer({"x": there})["y"] == pytest.approx(wanted(arrays, 7))


def test_a_large_batch_that_was_put_on_the_device_just_after_the_switch_is_answered_too() -> None:
    engine = SwitchEngine(Inner(Sums(max_batch=8)))
    arrays = rows(8)
    array = arrays["x"]
    assert isinstance(array, np.ndarray)
    engine.replace(Inner(Sums(1, max_batch=3), None, lambda _there: array))
    there = DeviceTensor(1234, array.shape, "float32", None)
    assert engine.infer({"x": there})["y"] == pytest.approx(wanted(arrays, 1))


class Noting:
    """The host's preprocessor, which notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._inner = CpuPreprocessor()

    def upload(self, image: Image) -> object:
        self.asked.append("upload")
        return ("handle", image)

    def letterbox(self, handles: Sequence[object], canvas: Canvas, norm: Normalisation) -> Floats | DeviceTensor:
        self.asked.append("letterbox")
        return self._inner.letterbox([handle[1] for handle in handles], canvas, norm)  # type: ignore[index]

    def warp(self, handle: object, matrices: Floats, spec: CropSpec) -> list[Image]:
        self.asked.append("warp")
        return self._inner.warp(handle[1], matrices, spec)  # type: ignore[index]

    def tensor(self, crops: Sequence[Image], norm: Normalisation) -> Floats | DeviceTensor:
        self.asked.append("tensor")
        return self._inner.tensor(crops, norm)


def test_preprocessing_follows_the_engine_also_for_a_frame_that_was_uploaded_before() -> None:
    engine = SwitchEngine(Inner(Sums()))
    host, device = Noting(), Noting()
    both = SwitchPreprocessor(engine, host, lambda: device)
    image = np.full((8, 8, 3), 3, np.uint8)
    handle = both.upload(image)
    assert (host.asked, device.asked) == (["upload"], [])
    engine.replace(Inner(Sums(), fetch=lambda tensor: np.zeros(0)))
    laid = both.letterbox([handle], CANVAS, NORM)
    assert isinstance(laid, np.ndarray)
    assert laid == pytest.approx(np.full((1, 3, 8, 8), 3))
    both.warp(handle, np.eye(2, 3, dtype=np.float32)[None], CropSpec(4, 4))
    both.tensor([image], NORM)
    assert host.asked == ["upload"]
    assert device.asked == ["upload", "letterbox", "upload", "warp", "tensor"]


def test_without_kernels_the_host_preprocesses_for_an_engine_on_the_device() -> None:
    engine = SwitchEngine(Inner(Sums(), fetch=lambda tensor: np.zeros(0)))
    host = Noting()
    SwitchPreprocessor(engine, host, lambda: None).upload(np.zeros((4, 4, 3), np.uint8))
    assert host.asked == ["upload"]
