"""What an engine does not take it refuses in one line, and goes on working."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends.base import Engine, Tensor
from faceedge.errors import EngineError, PackageError
from tests.contract.backends import Backend
from tests.contract.conftest import Case, copied, first
from tests.contract.made_up import made_up
from tests.contract.networks import MADE_UP

Batch = dict[str, Tensor]


def renamed(batch: Batch) -> Batch:
    return {f"{name}_": array for name, array in batch.items()}


def with_one_more(batch: Batch) -> Batch:
    return batch | {"extra": np.zeros((1, 1), np.float32)}


def without_one(batch: Batch) -> Batch:
    return dict(list(batch.items())[1:])


def with_one_in_place_of_another(batch: Batch) -> Batch:
    return without_one(batch) | {"extra": np.zeros((1, 1), np.float32)}


def doubles(batch: Batch) -> Batch:
    return {name: array.astype(np.float64) for name, array in batch.items()}


def bytes_swapped(batch: Batch) -> Batch:
    return {name: array.astype(array.dtype.newbyteorder()) for name, array in batch.items()}


def pixels(batch: Batch) -> Batch:
    return {name: array.astype(np.uint8) for name, array in batch.items()}


def without_batch(batch: Batch) -> Batch:
    return {name: array[0] for name, array in batch.items()}


def with_a_dimension_more(batch: Batch) -> Batch:
    return {name: array[None] for name, array in batch.items()}


def with_a_channel_more(batch: Batch) -> Batch:
    return {name: np.repeat(array, 2, axis=1) for name, array in batch.items()}


def lists(batch: Batch) -> Batch:
    return {name: array.tolist() for name, array in batch.items()}


def nothing_at_all(batch: Batch) -> Batch:
    return {name: array[..., :0] for name, array in batch.items()}


WRONG = (
    renamed, with_one_more, without_one, with_one_in_place_of_another, doubles, bytes_swapped, pixels, without_batch,
    with_a_dimension_more, with_a_channel_more, lists, nothing_at_all,
)  # fmt: skip


def test_a_wrong_input_is_refused_in_one_line_and_the_next_right_one_is_answered(case: Case) -> None:
    for spoil in WRONG:
        assert_refused(case.engine, spoil(case.network.batch(1)), spoil.__name__)
    case.assert_same(case.engine.infer(case.network.batch(1)), first(case.alone, 1))


@pytest.mark.parametrize("size", [lambda largest: 0, lambda largest: largest + 1], ids=["empty", "too large"])
def test_a_batch_outside_the_range_is_refused_by_its_size(case: Case, size: Callable[[int], int]) -> None:
    asked = size(case.network.max_batch)
    batch = {name: np.zeros((asked, *shape), np.float32) for name, shape in case.network.inputs.items()}
    with pytest.raises(EngineError, match=rf"batch {asked} .*1\.\.{case.network.max_batch}"):
        case.engine.infer(batch)


def test_inputs_of_two_batches_are_refused(backend: Backend, tmp_path: Path) -> None:
    engine = backend.open(made_up(tmp_path), MADE_UP.max_batch)
    assert_refused(engine, MADE_UP.batch(2) | {"gain": MADE_UP.batch(1)["gain"]}, "two batches")
    engine.close()


def test_a_size_that_the_engine_was_not_opened_for_is_refused(backend: Backend, tmp_path: Path) -> None:
    if not backend.most_px:
        pytest.skip("this backend takes every size")
    engine = backend.open(made_up(tmp_path), MADE_UP.max_batch)
    fits = MADE_UP.batch(1)
    answer = copied(engine.infer(fits))
    for size in ((backend.most_px + 1, 8), (8, backend.most_px + 1)):
        assert_refused(engine, fits | {"picture": np.zeros((1, 3, *size), np.float32)}, f"{size}")
        np.testing.assert_array_equal(engine.infer(fits)["scaled"], answer["scaled"])
    engine.close()


def test_what_is_no_network_is_refused_in_one_line(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises((EngineError, PackageError)) as refusal:
        backend.garbage(tmp_path)
    assert re.fullmatch(r"[^\n]{10,400}", str(refusal.value))


def test_a_network_that_fails_says_so_in_one_line_and_lives_on(
    backend: Backend, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = backend.fail(tmp_path)
    fits = np.zeros((2, 3, 4, 4), np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(engine.infer({"x": fits})["y"], fits + 1)
        assert_refused(engine, {"x": np.zeros((2, 3, 5, 5), np.float32)}, "five")
    engine.close()
    assert capfd.readouterr() == ("", ""), "the exception says it; nothing else does"


def assert_refused(engine: Engine, batch: Batch, what: str) -> None:
    """One line of an EngineError that is not an empty phrase."""
    with pytest.raises(EngineError) as refusal:
        engine.infer(batch)
    text = str(refusal.value)
    assert re.fullmatch(r"[^\n]{10,400}", text), f"{what}: {text}"
