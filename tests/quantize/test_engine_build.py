"""The whole of a quantisation: facts, determinism, nodes returned to float, interruptions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from faceedge.errors import BadInput, EngineError, PackageError
from faceedge.quantize.build import Quantiser, quantise
from faceedge.quantize.check import faults
from faceedge.quantize.likeness import cosine
from faceedge.quantize.network import Network
from faceedge.quantize.options import Method, Options
from faceedge.types import Floats
from tests.quantize import nets

METHODS: tuple[Method, ...] = ("entropy", "minmax", "percentile", "error")


def saved(network: Network, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(network.model.SerializeToString())
    return path


def least(graph: Path, int8: Path) -> float:
    return cosine(graph, int8, nets.batches(24, 8, seed=7))["y"].least


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_a_graph_that_obeys_and_answers_alike(tmp_path: Path, method: Method) -> None:
    graph, target = saved(nets.transformer(), tmp_path), tmp_path / "int8.onnx"
    made = quantise(graph, target, nets.batches(), Options(method=method))
    assert made.graph == target
    assert faults(onnx.load(target)) == []
    assert least(graph, target) > 0.98


def test_the_whole_is_better_than_plain_min_max(tmp_path: Path) -> None:
    graph = saved(nets.chain("PRelu"), tmp_path)
    plain = Options(method="minmax", equalise=False, centre=False, correct_bias=False)
    losses = []
    for number, options in enumerate((plain, Options())):
        quantise(graph, tmp_path / f"{number}.onnx", nets.batches(), options)
        losses.append(1 - least(graph, tmp_path / f"{number}.onnx"))
    assert losses[1] < losses[0] / 5


def test_the_same_graph_and_images_give_the_same_bytes(tmp_path: Path) -> None:
    graph = saved(nets.residual(), tmp_path)
    digests = []
    for number in range(2):
        target = tmp_path / f"{number}.onnx"
        quantise(graph, target, nets.batches(), Options())
        digests.append(hashlib.sha256(target.read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_the_facts_are_those_of_the_file(tmp_path: Path) -> None:
    graph = saved(nets.transformer(), tmp_path)
    made = quantise(graph, tmp_path / "int8.onnx", nets.batches(), Options(keep_float=("y",)))
    assert made.kept == (("y", "asked for"),)
    assert made.images == 32
    assert 0 < made.float_share < 0.2
    assert 0 < made.steps[0] <= made.steps[1]
    assert "LayerNormalization" in dict(made.operators)
    assert made.weights_after < made.weights_before
    assert dict(made.evened)["wide"] > 0


def test_returned_nodes_are_float_again_and_counted(tmp_path: Path) -> None:
    graph = saved(nets.chain("PRelu"), tmp_path)
    quantiser = Quantiser(graph, nets.batches(), Options())
    whole = quantiser.write(tmp_path / "whole.onnx")
    part = quantiser.write(tmp_path / "part.onnx", {"depth"})
    assert whole.float_share == 0
    assert part.float_share == pytest.approx(72 / (216 + 72 + 64))
    assert dict(part.kept) == {"depth": "returned to float by the search"}
    assert whole.weights_after < part.weights_after < whole.weights_before
    assert faults(onnx.load(part.graph)) == []
    depth = next(node for node in onnx.load(part.graph).graph.node if node.name == "depth")
    assert not any("Dequantize" in name for name in depth.input)


def test_returning_the_most_harmful_nodes_helps(tmp_path: Path) -> None:
    graph = saved(nets.chain("PRelu"), tmp_path)
    quantiser = Quantiser(graph, nets.batches(), Options(equalise=False))
    first = quantiser.ranking()[0]
    assert first.node == "depth"
    quantiser.write(tmp_path / "whole.onnx")
    quantiser.write(tmp_path / "part.onnx", {first.node})
    assert 1 - least(graph, tmp_path / "part.onnx") < (1 - least(graph, tmp_path / "whole.onnx")) / 3


def test_an_order_of_writing_changes_nothing(tmp_path: Path) -> None:
    graph = saved(nets.residual(), tmp_path)
    one, other = (Quantiser(graph, nets.batches(), Options()) for _ in range(2))
    one.write(tmp_path / "a.onnx", {"depth"})
    one.ranking()
    one.write(tmp_path / "b.onnx", method="minmax")
    other.write(tmp_path / "c.onnx", method="minmax")
    other.write(tmp_path / "d.onnx", {"depth"})
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "d.onnx").read_bytes()
    assert (tmp_path / "b.onnx").read_bytes() == (tmp_path / "c.onnx").read_bytes()


class Pulled(Exception):
    """The plug."""


def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    graph, state = saved(nets.chain("PRelu"), tmp_path), tmp_path / "state"
    state.mkdir()
    quantise(graph, tmp_path / "straight.onnx", nets.batches(), Options())
    times = iter(range(100))

    def failing() -> Iterator[Floats]:
        """The first pass ends; the second is cut off."""
        number = next(times)
        for at, batch in enumerate(nets.batches()()):
            if number == 1 and at == 2:
                raise Pulled
            yield batch

    with pytest.raises(Pulled):
        Quantiser(graph, failing, Options(), state).write(tmp_path / "never.onnx")
    assert not (tmp_path / "never.onnx").exists()
    Quantiser(graph, nets.batches(), Options(), state).write(tmp_path / "resumed.onnx")
    assert (tmp_path / "resumed.onnx").read_bytes() == (tmp_path / "straight.onnx").read_bytes()


def test_what_is_going_on_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    graph = saved(nets.chain(), tmp_path)
    quantise(graph, tmp_path / "int8.onnx", nets.batches(), Options(), lambda text, done: told.append((text, done)))
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert len({text for text, _ in told}) >= 4


def test_a_node_that_does_not_exist_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'nobody'"):
        Quantiser(saved(nets.chain(), tmp_path), nets.batches(), Options(keep_float=("nobody",)))


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    network = nets.network([nets.node("Relu", ["x"], "y")], {})
    with pytest.raises(PackageError, match="can run in int8"):
        Quantiser(saved(network, tmp_path), nets.batches(), Options())


def test_images_of_the_wrong_shape_are_refused_in_one_line(tmp_path: Path) -> None:
    wrong = nets.images(4)[:, :, :5]
    with pytest.raises(EngineError, match="calibration batch") as refusal:
        quantise(saved(nets.chain(), tmp_path), tmp_path / "int8.onnx", lambda: iter([wrong]), Options())
    assert "\n" not in str(refusal.value)


def test_no_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no image"):
        quantise(saved(nets.chain(), tmp_path), tmp_path / "int8.onnx", lambda: iter(()), Options())


def test_options_are_frozen() -> None:
    assert replace(Options(), sample=8).sample == 8
    with pytest.raises(AttributeError):
        Options().sample = 8  # type: ignore[misc]
