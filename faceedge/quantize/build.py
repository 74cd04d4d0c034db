"""From a float graph and images to an INT8 graph: the whole of quantisation in one place.

In: the graph of a package, batches of tensors as the network takes them, options. Out: Q/DQ files and facts on them.
Who runs it: `faceedge calibrate`, which judges the files in terms of recognition and may ask for nodes back in float.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import onnx

from faceedge.errors import EngineError, PackageError
from faceedge.files import write_whole
from faceedge.quantize.bias import mean_errors
from faceedge.quantize.biases import add_to_bias
from faceedge.quantize.centre import centred
from faceedge.quantize.check import faults
from faceedge.quantize.collect import Batches, collect
from faceedge.quantize.equalise import equalised
from faceedge.quantize.network import Network, read_network
from faceedge.quantize.observe import spread_rows
from faceedge.quantize.options import Method, Options
from faceedge.quantize.ranges import Doubles, Ranges
from faceedge.quantize.rules import kept_by_rule, operators_in_float
from faceedge.quantize.scales import activation_scale, weight_scales
from faceedge.quantize.search import searched_scales
from faceedge.quantize.sensitivity import Harm, harms
from faceedge.quantize.work import multiply_adds, share
from faceedge.quantize.write import Scales, write_qdq
from faceedge.types import Floats

Progress = Callable[[str, float], None]
RANKED_ON = 24
"""Images that sensitivity is measured on: each is run once a node."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """An INT8 graph that was written and obeys the rules of `check`.

    kept: nodes left in float, and why. float_share: their part of the multiply-adds. operators: kinds that are never
    rounded, and why. weights_before, weights_after: bytes of the constants, in float and as engines hold them.
    steps: smallest and largest scale of an activation. evened: nodes whose channels were evened out, in dB.
    """

    graph: Path
    kept: tuple[tuple[str, str], ...]
    float_share: float
    operators: tuple[tuple[str, str], ...]
    weights_before: int
    weights_after: int
    steps: tuple[float, float]
    evened: tuple[tuple[str, float], ...]
    images: int


class Quantiser:
    """One float graph and its images, from which INT8 graphs are written. Ranges are taken once, and steps and biases
    once a method.

    batches: see `collect`. state: a folder where an interrupted run finds what it had; it belongs to these images.
    Raises PackageError when the graph cannot be used, BadInput on an unknown node in `options.keep_float`.
    """

    def __init__(
        self, graph: Path, batches: Batches, options: Options, state: Path | None = None, tell: Progress | None = None
    ) -> None:
        self._options = options
        self._batches = batches
        self._state = state
        self._tell = tell if tell is not None else lambda _text, _done: None
        self._source = read_network(graph)
        self._kept = kept_by_rule(self._source, options.keep_float)
        self._nodes = [node.name for node in self._source.weighted() if node.name not in self._kept]
        if not self._nodes:
            raise PackageError(f"{graph}: no node of this network can run in int8; leave it in float")
        self._found: dict[Method, tuple[Scales, dict[str, Doubles]]] = {}

    def write(self, target: Path, returned: Collection[str] = (), method: Method | None = None) -> Quantised:
        """Writes an INT8 graph in which the nodes in `returned`, beside those kept by rule, stay in float.

        method: another than that of the options. Raises EngineError when the network fails on an image, StoreError.
        """
        scales, errors = self._measured(method or self._options.method)
        names = [name for name in self._nodes if name not in returned]
        network, _ = self._prepared
        model = write_qdq(_with_biases(network, errors, names), scales, names)
        if wrong := faults(model):
            raise EngineError(f"the INT8 graph breaks {len(wrong)} rules of TensorRT, the first: {wrong[0]}")
        write_whole(target, model.SerializeToString())
        return self._facts(target, scales, names)

    def ranking(self, method: Method | None = None) -> list[Harm]:
        """The nodes in int8, the most harm for each multiply-add first."""
        scales, errors = self._measured(method or self._options.method)
        network, ranges = self._prepared
        shares = {name: share(self._counts, {name}) for name in self._nodes}
        images = spread_rows(self._batches(), ranges.images, RANKED_ON)
        return harms(network.model, self._alone(network, scales, errors), shares, images)

    def _alone(
        self, network: Network, scales: Scales, errors: dict[str, Doubles]
    ) -> Iterator[tuple[str, onnx.ModelProto]]:
        for number, name in enumerate(self._nodes):
            self._tell("ranking the nodes by harm", number / len(self._nodes))
            yield name, write_qdq(_with_biases(network, errors, [name]), scales, [name])

    @cached_property
    def _prepared(self) -> tuple[Network, Ranges]:
        """The network with its channels evened out, and the ranges of its activations then."""
        network = self._source
        self._tell("collecting ranges", 0.0)
        ranges = collect(network, self._batches, self._state)
        self._evened: dict[str, float] = {}
        if not self._options.equalise:
            return network, ranges
        # What is taken off before a node leaves its weights' rounding errors behind, for the biases to take.
        evened = equalised(network, ranges, centre=self._options.centre and self._options.correct_bias)
        network = centred(evened.network, evened.reach)
        self._evened = dict(evened.gains_db)
        self._tell("collecting ranges of the evened network", 0.4)
        return network, collect(network, self._batches, self._state)

    @cached_property
    def _counts(self) -> dict[str, int]:
        return multiply_adds(self._source, next(self._batches()))

    def _measured(self, method: Method) -> tuple[Scales, dict[str, Doubles]]:
        """Steps, and what the biases lack with them."""
        if method not in self._found:
            network, ranges = self._prepared
            self._tell(f"finding steps ({method})", 0.7)
            scales = self._scales(network, ranges, method)
            errors: dict[str, Doubles] = {}
            if self._options.correct_bias:
                self._tell("correcting biases", 0.9)
                rounded = write_qdq(network, scales, self._nodes)
                errors = mean_errors(network, rounded, self._nodes, self._sample(ranges))
            self._found[method] = scales, errors
        return self._found[method]

    def _scales(self, network: Network, ranges: Ranges, method: Method) -> Scales:
        nodes = [node for node in network.weighted() if node.name in self._nodes]
        weights = {node.name: weight_scales(network.value(node.weight), node.axis, method) for node in nodes}
        if method == "error":
            return Scales(searched_scales(network, ranges, weights, self._sample(ranges)), weights)
        return Scales({node.data: activation_scale(ranges[node.data], method) for node in nodes}, weights)

    def _sample(self, ranges: Ranges) -> Iterator[Floats]:
        return spread_rows(self._batches(), ranges.images, self._options.sample)

    def _facts(self, target: Path, scales: Scales, names: Collection[str]) -> Quantised:
        kept = {
            name: self._kept.get(name, "returned to float by the search") for name in self._counts if name not in names
        }
        steps = [scales.activations[node.data] for node in self._prepared[0].weighted() if node.name in names]
        before, after = _weights_bytes(self._source, names)
        return Quantised(
            graph=target, kept=tuple(kept.items()), float_share=share(self._counts, set(kept)),
            operators=tuple(operators_in_float(self._source).items()), weights_before=before, weights_after=after,
            steps=(min(steps, default=0.0), max(steps, default=0.0)), evened=tuple(self._evened.items()),
            images=self._prepared[1].images,
        )  # fmt: skip


def quantise(
    graph: Path, target: Path, batches: Batches, options: Options, progress: Progress | None = None
) -> Quantised:
    """Writes the INT8 form of `graph` to `target`. Raises as `Quantiser` does."""
    return Quantiser(graph, batches, options, tell=progress).write(target)


def _with_biases(network: Network, errors: dict[str, Doubles], names: Collection[str]) -> Network:
    own = network.copy()
    for node in network.weighted():
        if node.name in errors and node.name in names:
            add_to_bias(own, node, errors[node.name])
    return own


def _weights_bytes(network: Network, names: Collection[str]) -> tuple[int, int]:
    """Bytes of all constants, in float and with the weights of the named nodes in int8 with their scales."""
    before = sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in network.model.graph.initializer)
    after = before
    for weight, channels in {
        node.weight: network.value(node.weight).shape[node.axis] for node in network.weighted() if node.name in names
    }.items():
        size = network.value(weight).size
        after += size + 4 * channels - 4 * size
    return before, after
