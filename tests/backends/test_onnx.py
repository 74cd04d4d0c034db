"""The ONNX Runtime engine beyond the contract: what is bound, kept and given back, and graphs of every kind."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from faceedge.backends.binding import FORMS_KEPT
from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import EngineError
from tests.contract.made_up import PICTURE, save


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """x [n, 3] to y = x + x."""
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    return save(tmp_path / "doubling.onnx", nodes, {"x": ["n", 3]}, {"y": ["n", 3]})


@pytest.fixture
def finding(tmp_path: Path) -> Path:
    """x [n, 3] to the places [2, found] where it is not zero: a shape that no input shape foretells."""
    nodes = [helper.make_node("NonZero", ["x"], ["places"])]
    kinds = {"places": TensorProto.INT64}
    return save(tmp_path / "finding.onnx", nodes, {"x": ["n", 3]}, {"places": [2, "found"]}, dtypes=kinds)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def test_the_second_answer_of_a_shape_lies_where_the_first_lay(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    first = engine.infer({"x": ones(2, 3)})["y"]
    second = engine.infer({"x": 5 * ones(2, 3)})["y"]
    assert np.shares_memory(first, second)
    assert first.max() == 10
    assert not np.shares_memory(first, engine.infer({"x": ones(3, 3)})["y"])


def test_no_more_shapes_are_kept_than_are_of_use(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=100)
    for batch in range(1, 101):
        np.testing.assert_array_equal(engine.infer({"x": batch * ones(batch, 3)})["y"], 2 * batch * ones(batch, 3))
    assert engine.memory.working == sum(4 * 3 * batch for batch in range(101 - FORMS_KEPT, 101))


def test_the_shape_asked_for_last_is_the_last_to_go(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=100)
    held = engine.infer({"x": ones(1, 3)})["y"]
    for batch in range(2, 20):
        engine.infer({"x": ones(batch, 3)})
        assert np.shares_memory(held, engine.infer({"x": ones(1, 3)})["y"])


def test_a_thread_that_ended_leaves_nothing_behind(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    for _ in range(3):
        asks = threading.Thread(target=engine.infer, args=({"x": ones(4, 3)},), name="asks")
        asks.start()
        asks.join()
    assert engine.memory.working == 0
    engine.infer({"x": ones(1, 3)})
    assert engine.memory.working == 12


def test_the_picture_of_a_caller_is_kept_until_the_next_of_its_form_or_close(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    pictures = [ones(4, 3) for _ in range(3)]
    alive = [weakref.ref(picture) for picture in pictures]
    while pictures:
        engine.infer({"x": pictures.pop(0)})
    assert [one() is not None for one in alive] == [False, False, True]
    engine.close()
    assert alive[-1]() is None


def test_outputs_whose_shapes_follow_the_values_are_all_there(finding: Path) -> None:
    engine = OnnxEngine(finding, max_batch=4)
    for values in ([1, 1, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0], [1, 0, 1]):
        x = np.float32([values])
        np.testing.assert_array_equal(engine.infer({"x": x})["places"], np.nonzero(x))


def test_outputs_that_nothing_computes_are_written_too(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["same"]), helper.make_node("Identity", ["five"], ["constant"])]
    outputs: dict[str, list[str | int]] = {"same": ["n", 3], "constant": [1, 3]}
    path = save(tmp_path / "passing.onnx", nodes, {"x": ["n", 3]}, outputs, {"five": 5 * ones(1, 3)})
    engine = OnnxEngine(path, max_batch=4)
    for value in (1, 2, 3):
        x = value * ones(2, 3)
        answer = engine.infer({"x": x})
        assert answer["same"].tolist() == x.tolist()
        assert answer["constant"].tolist() == [[5, 5, 5]]
        assert not np.shares_memory(answer["same"], x)


@pytest.mark.parametrize("kind", ["float16", "float64", "uint8", "int8", "int32", "int64", "bool"])
def test_numbers_of_every_kind_pass(tmp_path: Path, kind: str) -> None:
    code = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    nodes = [helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 1])]
    path = save(tmp_path / "turned.onnx", nodes, {"x": ["n", 2, 3]}, {"y": ["n", 3, 2]}, dtypes={"x": code, "y": code})
    engine = OnnxEngine(path, max_batch=4)
    assert engine.inputs[0].dtype == engine.outputs[0].dtype == kind
    x = np.arange(12).reshape(2, 2, 3).astype(kind)
    for _ in range(2):
        np.testing.assert_array_equal(engine.infer({"x": x})["y"], x.transpose(0, 2, 1))


def test_two_inputs_are_not_taken_for_each_other_when_their_shapes_change_places(tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["a", "b"], ["y"])]
    shapes: dict[str, list[str | int]] = {"a": ["n", "r", "m"], "b": ["n", "m", "c"]}
    engine = OnnxEngine(save(tmp_path / "product.onnx", nodes, shapes, {"y": ["n", "r", "c"]}), max_batch=1)
    tall, flat = ones(1, 3, 2), ones(1, 2, 3)
    for _ in range(2):
        assert engine.infer({"a": tall, "b": flat})["y"].shape == (1, 3, 3)
        assert engine.infer({"b": tall, "a": flat})["y"].shape == (1, 2, 2)


def test_inputs_are_read_where_they_are_also_from_a_slice_of_the_batch(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    x = np.arange(30, dtype=np.float32).reshape(10, 3)
    for start in range(7):
        np.testing.assert_array_equal(engine.infer({"x": x[start : start + 4]})["y"], 2 * x[start : start + 4])
    np.testing.assert_array_equal(engine.infer({"x": x[:8:2]})["y"], 2 * x[:8:2])


def test_closing_while_others_ask_ends_in_answers_or_in_the_word_closed(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    begun = threading.Barrier(4, timeout=30)
    ends: list[str] = []

    def ask() -> None:
        begun.wait()
        try:
            while True:
                assert engine.infer({"x": ones(4, 3)})["y"].min() == 2
        except EngineError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=ask, name=f"asks-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    begun.wait()
    engine.close()
    for thread in threads:
        thread.join(30)
    assert ends == ["the engine is closed; open the model again"] * 3


def test_a_trim_reaches_threads_that_ask_later(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    steps: dict[str, Any] = {"large": threading.Event(), "trimmed": threading.Event()}

    def ask() -> None:
        engine.infer({"x": ones(4, 3)})
        steps["large"].set()
        assert steps["trimmed"].wait(30)
        engine.infer({"x": ones(1, 3)})
        steps["held"] = engine.memory.working

    thread = threading.Thread(target=ask, name="asks")
    thread.start()
    assert steps["large"].wait(30)
    engine.trim()
    steps["trimmed"].set()
    thread.join(30)
    assert steps["held"] == 0


def test_the_arena_shrinks_once_after_a_trim_when_the_outputs_are_bound(
    doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    run = onnxruntime.InferenceSession.run_with_iobinding

    def noted(session: Any, binding: Any, options: Any = None) -> None:
        key = "memory.enable_memory_arena_shrinkage"
        given.append("" if options is None else options.get_run_config_entry(key))
        run(session, binding, options)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run_with_iobinding", noted)
    engine = OnnxEngine(doubling, max_batch=4)
    engine.infer({"x": ones(1, 3)})
    engine.trim()
    engine.trim()
    engine.infer({"x": ones(1, 3)})
    engine.infer({"x": ones(1, 3)})
    assert given == ["", "", "", "cpu:0", ""], "two batches; after the trims twice a row; a batch"


def test_a_graph_with_free_sides_takes_pictures_of_many_sizes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Neg", ["x"], ["y"])]
    engine = OnnxEngine(save(tmp_path / "free.onnx", nodes, {"x": PICTURE}, {"y": PICTURE}), max_batch=2)
    rng = np.random.default_rng(3)
    for side in (*range(1, 9), *range(8, 0, -1)):
        x = rng.normal(size=(2, 3, side, side + 1)).astype(np.float32)
        np.testing.assert_array_equal(engine.infer({"x": x})["y"], -x)
    with pytest.raises(EngineError, match="is empty"):
        engine.infer({"x": ones(2, 3, 0, 5)})
