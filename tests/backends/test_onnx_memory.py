"""An engine that was closed leaves nothing behind, and one that was trimmed little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from benchmarks.reopen import Job, Left, reopened, resident_mb
from faceedge.backends.heap import return_freed_memory
from faceedge.backends.onnx import OnnxEngine
from tests.contract.made_up import PICTURE, save
from tests.shortened import shortened


def heavy(folder: Path) -> Job:
    """A graph of a megabyte of weights whose activations take a few more."""
    rng = np.random.default_rng(5)
    constants = {
        "a": rng.normal(size=(16, 3, 3, 3)).astype(np.float32),
        "b": rng.normal(size=(3, 16, 3, 3)).astype(np.float32),
        "c": rng.normal(size=(1, 3, 256, 340)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["wide"], pads=[1, 1, 1, 1], strides=[4, 4]),
        helper.make_node("Relu", ["wide"], ["bent"]),
        helper.make_node("Conv", ["bent", "b"], ["narrow"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["x", "c"], ["shifted"]),
        helper.make_node("MaxPool", ["shifted"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Add", ["narrow", "pooled"], ["y"]),
    ]
    return save(folder / "heavy.onnx", nodes, {"x": PICTURE}, {"y": PICTURE}, constants), (2, 3, 256, 340)


def assert_back(left: Left, taken_mb: float) -> None:
    """Within 2 % of the start after all rounds, though an open engine took at least `taken_mb` each time."""
    assert left.most - left.first > taken_mb, "the measurement would see what stays"
    assert left.drift < 0.02, left
    assert max(left.later) / left.first < 1.02, left


@pytest.mark.system
def test_memory_is_back_after_a_hundred_rounds_of_open_infer_and_close(tmp_path: Path) -> None:
    assert_back(reopened(100, [heavy(tmp_path)]), taken_mb=4)


def test_a_trim_gives_the_activations_of_a_large_batch_back_to_the_system(tmp_path: Path) -> None:
    graph, (_, *picture) = heavy(tmp_path)
    engine = OnnxEngine(graph, max_batch=16)
    large = np.zeros((16, *picture), np.float32)
    engine.infer({"x": large[:1]})
    small_mb = resident_mb()
    engine.infer({"x": large})
    return_freed_memory()
    taken_mb = resident_mb() - small_mb
    engine.trim()
    engine.infer({"x": large[:2]})
    assert taken_mb > 15
    assert resident_mb() - small_mb < taken_mb / 3
    engine.close()


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.parametrize("rounds", shortened([25, 100], 1))
def test_memory_is_back_after_rounds_of_three_real_networks(rounds: int, assets: Path) -> None:
    shapes = {"yunet_n": (4, 3, 320, 320), "edgeface_xxs_512": (8, 3, 112, 112), "lightqnet": (8, 3, 112, 112)}
    jobs = [(assets / "models" / f"{name}.onnx", shape) for name, shape in shapes.items()]
    assert_back(reopened(rounds, jobs), taken_mb=10)
