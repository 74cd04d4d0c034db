"""Graphs of a fixed batch take any number of pictures afterwards, or are known to take one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from faceedge.errors import PackageError
from faceedge.models import foreign, selftest
from faceedge.models.forms import ONE_BY_ONE
from faceedge.models.graph import Prepared
from faceedge.models.prepare import prepare
from faceedge.models.running import Network
from faceedge.package import GRAPH
from tests.fakes import graphs

FREE_SIZE_PX = 320


def prepared(made: Any, folder: Path, max_batch: int = 8) -> Prepared:
    return prepare(graphs.saved(made, folder / "source.onnx"), folder, 32, 32, max_batch)


def answers_as_alone(graph: Path, width: int, height: int, count: int) -> None:
    network = Network(graph.read_bytes())
    pictures = [selftest.tensor(image) for image in selftest.others(selftest.picture(width, height))]
    batch = np.concatenate([pictures[n % 3] for n in range(count)])
    together = network.run(batch)
    for place in range(count):
        member = {name: values[place : place + 1] for name, values in together.items()}
        assert selftest.deviation_of_all(network.run_one(pictures[place % 3]), member) < 1e-4


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (graphs.recognizer(1), ("batch of 1 made free", "1 fixed shapes made to follow it")),
        (graphs.recognizer(1, reshape=-1), ("batch of 1 made free",)),
        (graphs.recognizer(4), ("batch of 4 made free", "1 fixed shapes made to follow it")),
        (graphs.detector(1), ("batch of 1 made free", "1 fixed shapes made to follow it")),
        (graphs.detector(1, sizes=True), ("batch of 1 made free", "2 fixed shapes made to follow it")),
    ],
    ids=["reshape", "no-reshape", "four", "detector", "resize"],
)
def test_a_fixed_batch_is_made_free(made: Any, words: tuple[str, ...], tmp_path: Path) -> None:
    result = prepared(made, tmp_path)
    assert result.max_batch == 8
    assert result.plain.changes[: len(words)] == words
    assert result.facts.inputs[0].shape == (-1, 3, 32, 32)
    assert result.facts.outputs[0].shape[0] == -1
    answers_as_alone(tmp_path / GRAPH, 32, 32, 5)


def test_a_free_batch_is_left_as_it_is(tmp_path: Path) -> None:
    result = prepared(graphs.detector(), tmp_path)
    assert result.max_batch == 8
    assert result.plain.changes == ()
    assert result.plain.sha256 == result.source_sha256
    assert (tmp_path / GRAPH).read_bytes() == (tmp_path / "source.onnx").read_bytes()


def mixing(batch: int | str) -> Any:
    """Subtracts the mean of the whole batch: what a picture gets depends on its neighbours."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Mul", ["mean", "half"], ["part"]),
        helper.make_node("Sub", ["x", "part"], ["y"]),
    ]
    shape = (batch, 3, 32, 32)
    return graphs.model(nodes, {"half": np.array(0.5, np.float32)}, shape=shape, outputs={"y": shape})


@pytest.mark.parametrize("batch", [1, "n"])
def test_pictures_that_change_each_other_are_answered_one_at_a_time(batch: int | str, tmp_path: Path) -> None:
    made = mixing(batch)
    result = prepared(made, tmp_path)
    assert result.max_batch == 1
    assert result.plain.changes == (ONE_BY_ONE,)
    assert (tmp_path / GRAPH).read_bytes() == made.SerializeToString()


def test_a_batch_of_three_that_cannot_be_freed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="takes 3 pictures at once"):
        prepared(mixing(3), tmp_path)


def test_outputs_without_a_batch_are_answered_one_at_a_time(tmp_path: Path) -> None:
    made = graphs.detector(1)
    flat = next(tensor for tensor in made.graph.initializer if tensor.name == "flat")
    flat.CopyFrom(numpy_helper.from_array(np.array([-1, 1], np.int64), "flat"))
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("score", graphs.FLOAT, ["cells", 1]))
    result = prepared(made, tmp_path)
    assert result.max_batch == 1
    assert result.facts.outputs[0].shape == (256, 1)


def test_where_one_picture_is_wanted_the_batch_stays(tmp_path: Path) -> None:
    result = prepared(graphs.recognizer(1, reshape=-1), tmp_path, max_batch=1)
    assert result.max_batch == 1
    assert result.facts.inputs[0].shape == (1, 3, 32, 32)
    assert ONE_BY_ONE not in result.plain.changes


def test_a_batch_written_as_zero_is_written_as_free(tmp_path: Path) -> None:
    made = graphs.recognizer()
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 0
    result = prepared(made, tmp_path)
    assert result.max_batch == 8
    assert result.facts.inputs[0].shape[0] == -1
    answers_as_alone(tmp_path / GRAPH, 32, 32, 4)


def fixed(path: Path) -> Any:
    """A network of the assets as an exporter with a fixed picture writes it."""
    made = foreign.parse(path.read_bytes())
    sizes = made.graph.input[0].type.tensor_type.shape.dim
    for size, value in zip(
        sizes, (1, 3, sizes[2].dim_value or FREE_SIZE_PX, sizes[3].dim_value or FREE_SIZE_PX), strict=True
    ):
        size.dim_value = value
    for output in made.graph.output:
        output.type.tensor_type.shape.dim[0].dim_value = 1
    shapes = {node.input[1] for node in made.graph.node if node.op_type == "Reshape"}
    for tensor in made.graph.initializer:
        if tensor.name in shapes:
            values = numpy_helper.to_array(tensor).copy()
            values[0] = 1
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return made


@pytest.mark.assets
@pytest.mark.system
@pytest.mark.parametrize(
    "name",
    ["yunet_n", "scrfd_500m", "retinaface_mnet025", "edgeface_xxs_512", "mobilefacenet_128", "mobileface_v2_256",
     "minifasnet_v2", "lightqnet", "age_gender_62"],
)  # fmt: skip
def test_real_networks_of_a_fixed_batch_are_freed(name: str, assets: Path, tmp_path: Path) -> None:
    source = assets / "models" / f"{name}.onnx"
    result = prepared(fixed(source), tmp_path)
    assert result.max_batch == 8
    width, height = result.selftest.width, result.selftest.height
    answers_as_alone(tmp_path / GRAPH, width, height, 4)
    picture = selftest.tensor(selftest.picture(width, height))
    told = Network(source.read_bytes()).run_one(picture)
    assert selftest.deviation_of_all(told, Network((tmp_path / GRAPH).read_bytes()).run_one(picture)) < 1e-4
