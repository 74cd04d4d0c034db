"""PReLU without PReLU: the same numbers from convolutions, and left alone where it is not by channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from faceedge.models import foreign, selftest
from faceedge.models.optimise import as_bytes
from faceedge.models.prelu import rewritten
from faceedge.models.running import Network
from tests.fakes import graphs
from tests.fakes.graphs import apart, cleaned

SLOPES = np.array([0.25, -1.5, 2.4, 0.0, 1.0, -0.1, 0.9, 30.0], np.float32).reshape(8, 1, 1)


def fast(made: Any) -> Any:
    found = rewritten(cleaned(made))
    assert found is not None
    return found[0]


@pytest.mark.parametrize("shape", [(8, 1, 1), (1, 8, 1, 1)])
def test_any_slope_answers_the_same(shape: tuple[int, ...]) -> None:
    made = graphs.recognizer(slopes=SLOPES.reshape(shape))
    assert apart(cleaned(made), fast(made)) < 1e-5


def test_the_operators_are_those_that_keep_the_blocked_layout() -> None:
    found = rewritten(cleaned(graphs.recognizer(slopes=SLOPES)))
    assert found is not None
    assert "PRelu" not in foreign.operators(found[0])
    assert foreign.operators(found[0])["Conv"] == 4
    assert found[1] == ("1 PReLU as 1x1 depthwise convolutions",)
    assert "slopes" not in {tensor.name for tensor in found[0].graph.initializer}


@pytest.mark.parametrize("slopes", [[0.25], [[[0.25]]] * 8], ids=["one", "all-alike"])
def test_one_slope_for_all_is_a_leaky_relu(slopes: Any) -> None:
    made = graphs.recognizer(slopes=np.array(slopes, np.float32))
    model = fast(made)
    assert foreign.operators(model)["LeakyRelu"] == 1
    assert apart(cleaned(made), model) < 1e-6


def test_slopes_that_an_operator_makes_are_read() -> None:
    made = graphs.recognizer()
    value = helper.make_tensor("v", graphs.FLOAT, [1], [0.3])
    made.graph.node.insert(0, helper.make_node("ConstantOfShape", ["slope_shape"], ["made"], value=value))
    made.graph.node[3].input[1] = "made"
    made.graph.initializer.append(numpy_helper.from_array(np.array([8, 1, 1], np.int64), "slope_shape"))
    model = fast(made)
    assert "ConstantOfShape" not in foreign.operators(model)
    assert apart(cleaned(made), model) < 1e-6


def test_slopes_by_column_and_slopes_that_are_computed_are_left_alone() -> None:
    by_column = graphs.recognizer(slopes=graphs.numbers(16))
    computed = graphs.recognizer()
    computed.graph.node.insert(2, helper.make_node("Abs", ["slopes"], ["positive"]))
    computed.graph.node[3].input[1] = "positive"
    assert rewritten(cleaned(by_column)) is None
    assert rewritten(cleaned(computed)) is None


def test_a_graph_without_prelu_has_nothing_to_rewrite() -> None:
    assert rewritten(cleaned(graphs.detector())) is None


def test_the_graph_that_is_given_is_not_changed() -> None:
    source = cleaned(graphs.recognizer())
    before = as_bytes(source)
    rewritten(source)
    assert as_bytes(source) == before


@pytest.mark.assets
def test_it_answers_what_the_ready_made_rewriting_answers(assets: Path) -> None:
    picture = selftest.tensor(selftest.picture(112, 112))
    source = foreign.parse((assets / "models" / "mobilefacenet_128.onnx").read_bytes())
    found = rewritten(source)
    assert found is not None
    ours = Network(as_bytes(found[0])).run_one(picture)
    ready = Network((assets / "models" / "mobilefacenet_128_fast.onnx").read_bytes()).run_one(picture)
    assert selftest.deviation_of_all(ready, ours) < 1e-5
