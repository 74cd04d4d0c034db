"""Crops in, templates out: which output is the embedding, what becomes of the others, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.errors import EngineError
from faceedge.manifest import Manifest, Normalisation, Source
from faceedge.recognize import Recognizer

SIDE_PX = 2
WEIGHTS = np.random.default_rng(4).normal(size=(3 * SIDE_PX**2, 5)).astype(np.float32)
"""Four columns make the embedding, the fifth the temperature."""


def graph(path: Path, *outputs: str) -> Path:
    """A file with these of `temperature` [n,1], `flat` [n], `features` [n,12] and `embedding` [n,4], in this order."""
    nodes = [
        helper.make_node("Flatten", ["x"], ["features"]),
        helper.make_node("MatMul", ["features", "w"], ["embedding"]),
        helper.make_node("MatMul", ["features", "t"], ["temperature"]),
        helper.make_node("Squeeze", ["temperature", "axis"], ["flat"]),
    ]
    shapes: dict[str, list[Any]] = {
        "embedding": ["n", 4], "temperature": ["n", 1], "flat": ["n"], "features": ["n", 3 * SIDE_PX**2],
    }  # fmt: skip
    constants = {"w": WEIGHTS[:, :4], "t": WEIGHTS[:, 4:], "axis": np.array([1], np.int64)}
    made = helper.make_graph(
        nodes,
        "rts",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE_PX, SIDE_PX])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def opened(path: Path, **fields: Any) -> Recognizer:
    manifest = Manifest(
        name="rts", version="1", role="recognizer", family="embedding", normalisation=Normalisation(colour="bgr"),
        source=Source(sha256="0" * 64, licence="MIT"), alignment="arcface_112", **fields,
    )  # fmt: skip
    return Recognizer(OnnxEngine(path, max_batch=2), CpuPreprocessor(), manifest, "0123456789ab")


def crops(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(1, 255, (count, SIDE_PX, SIDE_PX, 3), np.uint8))


def expected(crop: np.ndarray) -> np.ndarray:
    """Embedding and temperature by hand: planes in BGR order, raw pixels."""
    answer: np.ndarray = crop.transpose(2, 0, 1).reshape(1, -1).astype(np.float32) @ WEIGHTS
    return answer[0]


def test_the_temperature_travels_with_the_embedding(tmp_path: Path) -> None:
    recognizer = opened(graph(tmp_path / "m.onnx", "temperature", "embedding"), dimension=4)
    pictures = crops(5)
    for crop, template in zip(pictures, recognizer.embed(pictures), strict=True):
        *vector, temperature = expected(crop)
        np.testing.assert_allclose(template.embedding * template.norm, vector, rtol=1e-4)
        assert template.aux == {"temperature": pytest.approx(temperature, rel=1e-4)}


def test_outputs_are_known_by_the_names_that_the_family_has_for_them(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", "features", "flat", "embedding")
    names = {"embedding": "features", "doubt": "flat"}
    (template,) = opened(path, dimension=12, outputs=names).embed(crops(1))
    assert template.embedding.shape == (12,)
    assert template.aux == {"doubt": pytest.approx(expected(crops(1)[0])[4], rel=1e-4)}


def test_without_an_output_of_that_name_the_first_is_the_embedding(tmp_path: Path) -> None:
    (template,) = opened(graph(tmp_path / "m.onnx", "features", "temperature")).embed(crops(1))
    assert template.embedding.shape == (12,)
    assert set(template.aux) == {"temperature"}


def test_an_output_of_many_numbers_is_no_aux(tmp_path: Path) -> None:
    (template,) = opened(graph(tmp_path / "m.onnx", "embedding", "features")).embed(crops(1))
    assert template.aux == {}


def test_a_template_outlives_the_next_batch(tmp_path: Path) -> None:
    recognizer = opened(graph(tmp_path / "m.onnx", "embedding"))
    first, second = crops(2)
    (kept,) = recognizer.embed([first])
    before = kept.embedding.copy()
    recognizer.embed([second])
    np.testing.assert_array_equal(kept.embedding, before)


@pytest.mark.parametrize(("dimension", "output"), [(128, "embedding"), (4, "flat")])
def test_another_length_than_the_manifest_says_is_refused_at_the_start(
    dimension: int, output: str, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=rf"^{output}: the recogniser answers .* instead of \[n, {dimension}\]"):
        opened(graph(tmp_path / "m.onnx", output), dimension=dimension)


def test_a_black_crop_is_refused_rather_than_divided_by_zero(tmp_path: Path) -> None:
    black = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    with pytest.raises(EngineError, match="zero or not finite"):
        opened(graph(tmp_path / "m.onnx", "embedding")).embed([black])


def test_a_network_that_answers_for_others_than_it_was_asked_about_is_refused(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", "embedding")
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Concat", ["embedding", "embedding"], ["twice"], axis=0))
    model.graph.output[0].name = "twice"
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "m"
    onnx.save(model, path)
    with pytest.raises(EngineError, match=r"answers \[4, 4\] instead of \[2, 4\]"):
        opened(path, dimension=4).embed(crops(2))
