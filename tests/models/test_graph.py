"""What a graph must be to be read at all, and the facts that are read from it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faceedge.backends.base import TensorSpec
from faceedge.errors import PackageError, one_line
from faceedge.models import foreign
from faceedge.models.graph import MAX_BYTES, read_graph, size_of
from faceedge.models.prepare import read_facts
from tests.fakes import graphs

node = helper.make_node


def facts(made: Any, folder: Path) -> Any:
    return read_facts(graphs.saved(made, folder / "made.onnx"))


def test_the_facts_of_a_recogniser(tmp_path: Path) -> None:
    made = graphs.recognizer()
    made.metadata_props.add(key="licence", value="MIT")
    found = facts(made, tmp_path)
    assert found.opset == 17
    assert found.inputs == (TensorSpec("x", "float32", (-1, 3, 32, 32)),)
    assert found.outputs == (TensorSpec("embedding", "float32", (-1, 16)),)
    assert found.operators["Conv"] == 2
    assert found.weights_bytes == sum(numpy_helper.to_array(one).nbytes for one in made.graph.initializer)
    assert found.metadata == {"licence": "MIT"}
    assert not found.quantised


def test_sizes_that_follow_the_picture_are_free(tmp_path: Path) -> None:
    assert facts(graphs.detector(), tmp_path).outputs == (TensorSpec("score", "float32", (-1, -1, 1)),)
    assert facts(graphs.detector(1), tmp_path).outputs == (TensorSpec("score", "float32", (1, 256, 1)),)


def test_outputs_are_as_measured_whatever_the_graph_says(tmp_path: Path) -> None:
    made = graphs.recognizer()
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["a", "b"]))
    assert facts(made, tmp_path).outputs[0].shape == (-1, 16)


def test_notes_are_few_short_and_printable(tmp_path: Path) -> None:
    made = graphs.detector()
    for number in range(100):
        made.metadata_props.add(key=f"key{number}\x1b[31m" + "k" * 1000, value="a\nb" + "v" * 100_000)
    notes = facts(made, tmp_path).metadata
    assert len(notes) == 32
    assert all(len(key) <= 64 and len(value) <= 500 for key, value in notes.items())
    assert all((key + value).isprintable() for key, value in notes.items())


def test_weights_that_are_also_inputs_become_constants(tmp_path: Path) -> None:
    made = graphs.recognizer()
    for tensor in made.graph.initializer:
        made.graph.input.add().CopyFrom(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    made.ir_version = 3
    found = facts(made, tmp_path)
    assert [spec.name for spec in found.inputs] == ["x"]


def test_sizes_written_as_zero_or_minus_one_are_free(tmp_path: Path) -> None:
    made = graphs.detector()
    for size, value in zip(made.graph.input[0].type.tensor_type.shape.dim, (0, 3, -1, -1), strict=True):
        size.dim_value = value
    assert facts(made, tmp_path).inputs[0].shape == (-1, 3, -1, -1)


def test_whole_numbers_are_told(tmp_path: Path) -> None:
    scale, zero = np.array(0.1, np.float32), np.array(0, np.uint8)
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    assert facts(graphs.model(nodes, {"scale": scale, "zero": zero}), tmp_path).quantised


def branch() -> Any:
    body = helper.make_graph([node("Identity", ["x"], ["b"])], "body", [], [graphs.value("b")])
    return graphs.model([node("If", ["yes"], ["y"], then_branch=body, else_branch=body)], {"yes": np.array(True)})


def with_function() -> Any:
    made = graphs.detector()
    made.functions.append(
        helper.make_function("local", "F", ["a"], ["b"], [node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    )
    return made


def external() -> Any:
    made = graphs.recognizer()
    tensor = made.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")
    return made


def external_by_attribute() -> Any:
    made = graphs.model([node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(4, np.float32)))])
    onnx.external_data_helper.set_external_data(made.graph.node[0].attribute[0].t, "../../secret")
    return made


def changed(change: Callable[[Any], object]) -> Any:
    made = graphs.recognizer()
    change(made)
    return made


def odd_size(made: Any) -> None:
    made.graph.initializer[0].dims[0] = 1 << 40


def shorter(made: Any) -> None:
    made.graph.initializer[0].raw_data = made.graph.initializer[0].raw_data[:-4]


REFUSED = {
    "nothing": (onnx.ModelProto(producer_name="nobody in particular"), "it has no operators"),
    "no-opset": (changed(lambda made: made.ClearField("opset_import")), "it has no operators"),
    "old": (graphs.model([node("Relu", ["x"], ["y"])], opset=6), "is of opset 6, served are 7 to"),
    "future": (changed(lambda made: setattr(made.opset_import[0], "version", 999)), "is of opset 999"),
    "future-ir": (changed(lambda made: setattr(made, "ir_version", 99)), "is of IR version 99"),
    "branch": (branch(), "uses If, a branch or loop"),
    "function": (with_function(), "functions of its own"),
    "training": (changed(lambda made: made.training_info.add()), "training steps"),
    "microsoft": (
        graphs.model([node("Gelu", ["x"], ["y"], domain="com.microsoft")]),
        "uses Gelu of com.microsoft, which TensorRT lacks",
    ),
    "random": (graphs.model([node("RandomNormalLike", ["x"], ["y"])]), "its answers would not repeat"),
    "external": (external(), "keeps 'w1' in another file; merge it"),
    "external-attribute": (external_by_attribute(), "in another file; merge it"),
    "size": (changed(odd_size), "more or fewer numbers in 'w1'"),
    "short": (changed(shorter), "more or fewer numbers in 'w1'"),
    "negative": (changed(lambda made: made.graph.initializer[0].dims.__setitem__(0, -8)), "impossible shape"),
    "type": (changed(lambda made: setattr(made.graph.initializer[0], "data_type", 77)), "as type 77"),
    "text": (changed(lambda made: setattr(made.graph.initializer[0], "data_type", 8)), "as type 8"),
    "two-inputs": (changed(lambda made: made.graph.input.add().CopyFrom(graphs.value("z"))), "has 2 inputs"),
    "no-outputs": (changed(lambda made: made.graph.ClearField("output")), "has 0 outputs"),
    "uint8": (graphs.model([node("Cast", ["x"], ["y"], to=1)], dtype=TensorProto.UINT8), "no float32 picture in 'x'"),
    "last": (graphs.model([node("Relu", ["x"], ["y"])], shape=("n", 32, 32, 3)), "channels last"),
    "grey": (graphs.model([node("Relu", ["x"], ["y"])], shape=("n", 1, 32, 32)), "not photos"),
    "flat": (graphs.model([node("Relu", ["x"], ["y"])], shape=("n", 3)), "not photos"),
    "huge-picture": (graphs.model([node("Relu", ["x"], ["y"])], shape=("n", 3, 1 << 30, 32)), "not photos"),
    "odd-name": (changed(lambda made: setattr(made.graph.output[0], "name", "a\n\x1b[31mb")), "of odd name"),
    "unknown": (graphs.model([node("Frobnicate", ["x"], ["y"])]), "is not valid ONNX"),
    "loose-end": (graphs.model([node("Relu", ["nowhere"], ["y"])]), "is not valid ONNX"),
    "many": (
        graphs.model([node("Relu", ["x" if n == 0 else f"v{n - 1}"], [f"v{n}"]) for n in range(20_001)]),
        "more than 20000",
    ),
    "nan": (graphs.model([node("Log", ["x"], ["y"])]), "numbers that are none in 'y'"),
    "wrong-shapes": (
        graphs.model([node("MatMul", ["x", "w"], ["y"])], {"w": np.ones((7, 7), np.float32)}),
        "export it again",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_network_for_photos_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    made, words = REFUSED[name]
    with pytest.raises(PackageError) as caught:
        facts(made, tmp_path)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_pipe_a_device_and_a_folder_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        for read in (read_graph, size_of):
            with pytest.raises(PackageError, match=r"is not a file|Is a directory"):
                read(path)


def test_a_file_of_odd_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for read in (read_graph, size_of):
        with pytest.raises(PackageError, match="holds 512 MB, more than 512 MB"):
            read(path)
    path.write_bytes(b"onnx")
    with pytest.raises(PackageError, match="holds 4 bytes, too few"):
        read_graph(path)
    with pytest.raises(PackageError, match="No such file"):
        read_graph(tmp_path / "nowhere.onnx")


def test_the_same_file_parses_into_the_same_bytes() -> None:
    content = graphs.recognizer().SerializeToString()
    assert len({foreign.parse(content).SerializeToString(deterministic=True) for _ in range(3)}) == 1


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\u202eb", "a\x00b", "é" * 10_000, "\ud800"])
def test_a_line_is_one_line_printable_and_short(text: str) -> None:
    line = one_line(text, 50)
    assert line.isprintable()
    assert len(line) <= 50
