"""A folded graph answers the same in fewer operators, and nothing is folded where the file would swell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from faceedge.models import foreign
from faceedge.models.optimise import as_bytes, folded
from tests.fakes import graphs
from tests.fakes.graphs import apart, cleaned


def test_a_batch_norm_goes_into_the_convolution_before_it(tmp_path: Path) -> None:
    source = cleaned(graphs.recognizer())
    found = folded(source, tmp_path)
    assert found is not None
    model, words = found
    assert "BatchNormalization" not in foreign.operators(model)
    assert words == ("8 operators folded into 7",)
    assert apart(source, model) < 1e-5


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    folded(cleaned(graphs.recognizer()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ends_notes_and_versions_stay_and_other_words_go(tmp_path: Path) -> None:
    made = graphs.recognizer()
    made.doc_string, made.graph.doc_string, made.graph.node[0].doc_string = "a", "b", "c"
    made.metadata_props.add(key="licence", value="MIT")
    source = cleaned(made)
    found = folded(source, tmp_path)
    assert found is not None
    model = found[0]
    assert (model.graph.input, model.graph.output) == (source.graph.input, source.graph.output)
    assert [(note.key, note.value) for note in model.metadata_props] == [("licence", "MIT")]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert model.ir_version == source.ir_version
    assert not model.doc_string + model.graph.doc_string + "".join(node.doc_string for node in model.graph.node)


def test_the_same_graph_folds_into_the_same_bytes(tmp_path: Path) -> None:
    contents = {as_bytes((folded(cleaned(graphs.recognizer()), tmp_path) or [None])[0]) for _ in range(3)}
    assert len(contents) == 1


def test_a_graph_with_nothing_to_fold_is_left_alone(tmp_path: Path) -> None:
    assert folded(cleaned(graphs.detector()), tmp_path) is None


def test_weights_that_an_operator_makes_stay_short(tmp_path: Path) -> None:
    made = graphs.model(
        [
            helper.make_node(
                "ConstantOfShape", ["size"], ["w"], value=helper.make_tensor("v", graphs.FLOAT, [1], [0.1])
            ),
            helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3]),
        ],
        {"size": np.array([100_000, 3, 3, 3], np.int64)},
    )
    assert folded(cleaned(made), tmp_path) is None


@pytest.mark.assets
@pytest.mark.parametrize("name", ["minifasnet_v1se", "scrfd_2.5g", "edgeface_xs_512"])
def test_real_networks_fold_and_stay_the_same(name: str, assets: Path, tmp_path: Path) -> None:
    source = foreign.parse((assets / "models" / f"{name}.onnx").read_bytes())
    found = folded(source, tmp_path)
    assert found is not None
    assert len(found[0].graph.node) < len(source.graph.node)
    onnx.checker.check_model(found[0], full_check=True)
