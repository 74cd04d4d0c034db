"""The TensorRT engine on the device itself: what the stand-ins of tests/fakes/gpu cannot know. The contract suite has a
row for the device as well: `pytest -m device tests/contract`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faceedge.backends.base import DeviceTensor
from faceedge.backends.tensorrt import TensorRtEngine
from tests.contract import jetson
from tests.contract.made_up import made_up
from tests.contract.networks import MADE_UP

pytestmark = pytest.mark.device
RUNS, SLACK_BYTES = 10_000, 8 << 20


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Of the made-up network."""
    if reason := jetson.absent():
        pytest.skip(reason)
    return made_up(tmp_path)


@pytest.fixture
def engine(graph: Path) -> Iterator[TensorRtEngine]:
    """Built and opened here."""
    opened = jetson.engine(graph, 4)
    yield opened
    opened.close()


def test_an_array_that_is_on_the_device_is_answered_as_one_of_the_host(engine: TensorRtEngine) -> None:
    gpu, _ = jetson.device()
    batch = MADE_UP.batch(4)
    expected = engine.infer(batch)["scaled"].copy()
    block, pinned = gpu.alloc(batch["picture"].nbytes), gpu.pinned(batch["picture"].shape, np.float32)
    pinned[:] = batch["picture"]
    gpu.upload(block, pinned)
    there = DeviceTensor(block.address, batch["picture"].shape, "float32", block)
    np.testing.assert_array_equal(engine.infer({**batch, "picture": there})["scaled"], expected)


def test_two_engines_in_one_arena_answer_as_each_alone(engine: TensorRtEngine, graph: Path) -> None:
    other = jetson.engine(graph, 4)
    first, second = MADE_UP.batch(4), MADE_UP.batch(3, seed=1)
    one, two = engine.infer(first)["scaled"].copy(), other.infer(second)["scaled"].copy()
    for _ in range(50):
        np.testing.assert_array_equal(engine.infer(first)["scaled"], one)
        np.testing.assert_array_equal(other.infer(second)["scaled"], two)
    other.close()


@pytest.mark.timeout(600)
def test_many_runs_of_shapes_that_were_seen_take_no_memory(engine: TensorRtEngine) -> None:
    gpu, _ = jetson.device()
    batches = [MADE_UP.batch(size) for size in (1, 2, 3, 4)]
    for batch in batches * 25:
        engine.infer(batch)
    free, _ = gpu.memory_info()
    for run in range(RUNS):
        engine.infer(batches[run % len(batches)])
    assert gpu.memory_info()[0] > free - SLACK_BYTES
