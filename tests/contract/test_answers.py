"""Answers are right for every batch, and stay what they are however the engine is called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends.base import Tensor
from tests.contract.conftest import Case, copied, first

Reference = Callable[[Path, dict[str, Tensor]], dict[str, Tensor]]


def test_a_batch_of_any_size_is_answered_as_its_members_alone(case: Case) -> None:
    for size in sorted({1, 2, 3, case.network.max_batch}):
        if size <= case.network.max_batch:
            case.assert_same(case.engine.infer(case.network.batch(size)), first(case.alone, size))


def test_the_answer_is_that_of_onnx_runtime_itself(case: Case, reference: Reference) -> None:
    case.assert_same(case.engine.infer(case.network.batch(2)), reference(case.graph, case.network.batch(2)))


def test_answers_are_whole_arrays_of_the_dtype_and_shape_that_were_promised(case: Case) -> None:
    answer = case.engine.infer(case.network.batch(2))
    assert list(answer) == [spec.name for spec in case.engine.outputs]
    for spec in case.engine.outputs:
        found = answer[spec.name]
        assert found.dtype == spec.dtype
        assert found.flags.c_contiguous
        assert len(found.shape) == len(spec.shape)
        assert all(want in (-1, got) for want, got in zip(spec.shape, found.shape, strict=True))
        assert found.shape[0] == 2
        assert np.isfinite(found).all()


def test_a_buffer_that_is_used_again_holds_nothing_of_the_answer_before(case: Case) -> None:
    one = case.engine.infer(case.network.batch(2))
    held = copied(one)
    case.assert_same(held, first(case.alone, 2))
    case.engine.infer(case.network.batch(2, seed=1))
    again = case.engine.infer(case.network.batch(2))
    case.assert_same(again, held)


def test_answers_differ_where_the_inputs_do(case: Case) -> None:
    other = case.engine.infer(case.network.batch(1, seed=1))
    assert any(not np.array_equal(other[name], first(case.alone, 1)[name]) for name in other)


def test_what_a_caller_writes_into_an_answer_harms_no_later_one(case: Case) -> None:
    answer = case.engine.infer(case.network.batch(1))
    for array in answer.values():
        array[:] = 9
    answer["stranger"] = answer.pop(next(iter(answer)))
    case.assert_same(case.engine.infer(case.network.batch(1)), first(case.alone, 1))


def test_inputs_that_do_not_lie_in_one_piece_give_the_same_answer(case: Case) -> None:
    apart = {name: np.repeat(array, 2, axis=0)[::2] for name, array in case.network.batch(2).items()}
    assert not any(array.flags.c_contiguous for array in apart.values())
    case.assert_same(case.engine.infer(apart), first(case.alone, 2))


def test_inputs_may_be_read_only_and_stay_as_they_were(case: Case) -> None:
    batch = case.network.batch(1)
    for array in batch.values():
        array.flags.writeable = False
    case.assert_same(case.engine.infer(batch), first(case.alone, 1))
    for name, array in case.network.batch(1).items():
        np.testing.assert_array_equal(batch[name], array)


def test_inputs_may_come_in_any_order(case: Case) -> None:
    turned = dict(reversed(case.network.batch(1).items()))
    case.assert_same(case.engine.infer(turned), first(case.alone, 1))


def test_an_answer_outlives_trim_and_close(case: Case) -> None:
    engine = case.open()
    answer = engine.infer(case.network.batch(1))
    engine.trim()
    engine.close()
    case.assert_same(answer, first(case.alone, 1))


def test_threads_at_once_get_their_own_answers_and_nobody_overwrites_them(case: Case) -> None:
    if not case.backend.shares_threads:
        pytest.skip("this backend serves one thread at a time")
    members = min(3, case.network.max_batch)
    everybody = threading.Barrier(members, timeout=60)
    wrong: list[object] = []

    def ask(position: int) -> None:
        mine = {name: array[position : position + 1] for name, array in case.network.batch(members).items()}
        expected = {name: array[position : position + 1] for name, array in case.alone.items()}
        try:
            for _ in range(case.network.turns):
                answer = case.engine.infer(mine)
                everybody.wait()  # all have asked: my answer is still mine
                case.assert_same(answer, expected)
                everybody.wait()  # nobody asks again before all have looked
        except BaseException as error:
            everybody.abort()
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(n,), name=f"asks-{n}") for n in range(members)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
