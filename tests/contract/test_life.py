"""What an engine tells of itself, and what is left of it after close."""

from __future__ import annotations

import onnx
import pytest

from faceedge.backends.base import Memory, TensorSpec
from faceedge.errors import EngineError
from tests.contract.conftest import Case, first


def test_the_specs_are_those_of_the_graph(case: Case) -> None:
    graph = onnx.load(case.graph, load_external_data=False).graph
    constants = {constant.name for constant in graph.initializer}
    assert case.engine.inputs == tuple(spec(value) for value in graph.input if value.name not in constants)
    assert case.engine.outputs == tuple(spec(value) for value in graph.output)
    assert case.engine.max_batch == case.network.max_batch


def spec(value: onnx.ValueInfoProto) -> TensorSpec:
    kind = value.type.tensor_type
    shape = tuple(size.dim_value if size.HasField("dim_value") else -1 for size in kind.shape.dim)
    return TensorSpec(value.name, onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name, shape)


def test_device_and_memory_are_reported(case: Case) -> None:
    case.engine.infer(case.network.batch(1))
    assert case.engine.device == case.backend.device
    memory = case.engine.memory
    assert memory.weights > 0
    assert memory.working >= sum(array.nbytes for array in case.engine.infer(case.network.batch(1)).values())


def test_a_shape_that_was_seen_asks_for_no_memory_again(case: Case) -> None:
    sizes = (case.network.max_batch, 1)
    for size in sizes:
        case.engine.infer(case.network.batch(size))
    held, asked = case.engine.memory.working, case.backend.allocations()
    for size in sizes:
        case.engine.infer(case.network.batch(size, seed=1))
    assert case.backend.allocations() == asked
    assert case.engine.memory.working == held


def test_a_trim_gives_back_what_a_large_batch_took_and_changes_no_answer(case: Case) -> None:
    engine, largest = case.open(), case.network.max_batch
    engine.infer(case.network.batch(1))
    small = engine.memory.working
    engine.infer(case.network.batch(largest))
    assert engine.memory.working > small
    engine.trim()
    case.assert_same(engine.infer(case.network.batch(1)), first(case.alone, 1))
    assert engine.memory.working <= small
    case.assert_same(engine.infer(case.network.batch(largest)), case.alone)
    engine.close()


def test_after_closing_twice_nothing_is_held_or_answered_and_another_engine_lives_on(case: Case) -> None:
    engine = case.open()
    engine.infer(case.network.batch(1))
    engine.close()
    engine.close()
    assert engine.memory == Memory(0, 0)
    engine.trim()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(case.network.batch(1))
    assert engine.inputs == case.engine.inputs, "what it was is still told"
    case.assert_same(case.engine.infer(case.network.batch(1)), first(case.alone, 1))


def test_a_thread_without_work_gives_its_memory_back_and_answers_as_before(case: Case) -> None:
    engine = case.open()
    engine.infer(case.network.batch(case.network.max_batch))
    engine.tidy()
    assert engine.memory.working > 0, "nobody has asked for it"
    engine.trim()
    engine.tidy()
    assert engine.memory.working == 0
    case.assert_same(engine.infer(case.network.batch(1)), first(case.alone, 1))
    assert engine.memory.working > 0
    engine.close()
    engine.trim()
    engine.tidy()


def test_a_batch_that_was_cut_before_the_trim_leaves_nothing_behind(case: Case) -> None:
    engine = case.open()
    engine.trim()
    case.assert_same(engine.infer(case.network.batch(case.network.max_batch)), case.alone)
    assert engine.memory.working == 0
    engine.close()


def test_what_an_engine_takes_is_told_by_shape_whatever_the_batch(case: Case) -> None:
    shapes = {name: (1, *shape) for name, shape in case.network.inputs.items()}
    assert case.engine.takes(shapes)
    assert case.engine.takes({name: (999, *shape[1:]) for name, shape in shapes.items()})
    assert not case.engine.takes({name: (*shape, 1) for name, shape in shapes.items()})
