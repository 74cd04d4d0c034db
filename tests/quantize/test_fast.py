"""The form of an INT8 graph for ONNX Runtime on a CPU: what it is made of, and that it answers alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from faceedge.models.prelu import PREFIX
from faceedge.quantize.build import Options, Quantiser
from faceedge.quantize.fast import write_fast
from faceedge.types import Floats
from tests.fakes import graphs

PICTURES = np.random.default_rng(3).normal(size=(24, 3, graphs.SIDE_PX, graphs.SIDE_PX)).astype(np.float32)


def answer(path: Path, pictures: Floats) -> Floats:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: pictures})[0], np.float32)


def built(made: onnx.ModelProto, folder: Path) -> tuple[Path, Path, int]:
    """The float graph's INT8 form, its fast form, and how many convolutions that has."""
    source, int8, fast = (folder / f"{name}.onnx" for name in ("source", "int8", "fast"))
    graphs.saved(made, source)
    Quantiser(source, lambda: iter([PICTURES]), Options()).write(int8)
    return int8, fast, write_fast(int8, fast, [PICTURES])


def cosine(one: Floats, other: Floats) -> float:
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("made", [graphs.recognizer(), graphs.detector()], ids=["recogniser", "detector"])
def test_it_answers_as_the_int8_graph_does(made: onnx.ModelProto, tmp_path: Path) -> None:
    int8, fast, count = built(made, tmp_path)
    assert count >= 1
    assert cosine(answer(int8, PICTURES), answer(fast, PICTURES)) > 0.999
    assert cosine(answer(int8, PICTURES[:1]), answer(fast, PICTURES[:1])) > 0.99


def test_convolutions_are_computed_on_integers_and_what_is_rectified_needs_no_relu(tmp_path: Path) -> None:
    _, fast, count = built(graphs.recognizer(), tmp_path)
    model = onnx.load(fast)
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("QLinearConv") == count == 2
    assert "PRelu" not in kinds, "ONNX Runtime computes it slowly"
    own = [node for node in model.graph.node if not any(name.startswith(PREFIX) for name in node.input)]
    assert {node.op_type for node in own} & {"Conv", "Relu"} == set()


def test_a_graph_without_rounded_convolutions_has_no_fast_form(tmp_path: Path) -> None:
    plain = graphs.saved(graphs.recognizer(), tmp_path / "plain.onnx")
    assert write_fast(plain, tmp_path / "fast.onnx", [PICTURES]) == 0
    assert not (tmp_path / "fast.onnx").exists()


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    int8, fast, _ = built(graphs.recognizer(), tmp_path)
    write_fast(int8, tmp_path / "again.onnx", [PICTURES])
    assert (tmp_path / "again.onnx").read_bytes() == fast.read_bytes()
