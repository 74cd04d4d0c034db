"""The ONNX Runtime engine takes what its network takes and refuses the rest in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import EngineError, PackageError


@pytest.fixture
def doubling(tmp_path: Path) -> Path:
    """A graph that adds its input [n, 3] to itself."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
    )
    path = tmp_path / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_batch_is_the_same_as_its_members_alone(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    batch = np.arange(12, dtype=np.float32).reshape(4, 3)
    together = engine.infer({"x": batch})["y"]
    alone = [engine.infer({"x": batch[n : n + 1]})["y"][0] for n in range(4)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, 2 * batch)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("z", np.zeros((1, 3), np.float32), "inputs are"),
        ("x", np.zeros((1, 3), np.float64), "float64"),
        ("x", np.zeros((1, 4), np.float32), r"\(1, 4\)"),
        ("x", np.zeros(3, np.float32), r"\(3,\)"),
        ("x", np.zeros((5, 3), np.float32), "batch 5"),
        ("x", np.zeros((0, 3), np.float32), "batch 0"),
    ],
)
def test_a_wrong_input_is_refused(doubling: Path, name: str, array: np.ndarray, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        OnnxEngine(doubling, max_batch=4).infer({name: array})


def test_after_closing_twice_it_says_that_it_is_closed(doubling: Path) -> None:
    engine = OnnxEngine(doubling, max_batch=4)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer({"x": np.zeros((1, 3), np.float32)})


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(1000)])
def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=r"model\.onnx"):
        OnnxEngine(path, max_batch=1)
