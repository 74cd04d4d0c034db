"""What the gates' images cause in an INT8 graph and in its float source, for `oddities`.

In: graphs, and batches of the gates' images and of those that calibrated. Out: sentences; none where all is as usual.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import onnx
from onnx import numpy_helper

from faceedge.quantize.collect import Batches, collect
from faceedge.quantize.network import read_network
from faceedge.quantize.observe import observed
from faceedge.quantize.oddities import clipping_oddities, magnitude, range_oddities
from faceedge.quantize.ranges import Spread
from faceedge.quantize.scales import LEVELS

BATCHES = 12
"""Of the gates' images; more do not move what 99.9 % of a tensor's values stay below."""


def oddities(
    source: Path, build: Path, calibrated: Batches, gates: Batches, state: Path | None = None
) -> tuple[str, ...]:
    """source: the float graph; build: the INT8 one. calibrated, gates: batches of either images. state: see `collect`.

    Raises EngineError when a network fails, PackageError when a graph cannot be read.
    """
    network = read_network(source)
    before = collect(network, calibrated, state)
    after = collect(network, lambda: islice(gates(), BATCHES))
    ours = {name: magnitude(spread) for name, spread in before.spreads.items()}
    theirs = {name: magnitude(spread) for name, spread in after.spreads.items()}
    return (*range_oddities(ours, theirs), *_clipped(build, gates))


def _clipped(build: Path, gates: Batches) -> tuple[str, ...]:
    model = onnx.load(build)
    held = _held(model)
    spreads = {name: Spread(1) for name in held}
    for tensors in observed(model, list(held), islice(gates(), BATCHES)):
        for name, spread in spreads.items():
            spread.add(tensors[name])
    return clipping_oddities(held, {name: magnitude(spread) for name, spread in spreads.items()})


def _held(model: onnx.ModelProto) -> dict[str, float]:
    """The largest magnitude that INT8 can hold, by name of the rounded activation."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    return {
        node.input[0]: LEVELS * float(numpy_helper.to_array(constants[node.input[1]]))
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants and node.input[1] in constants
    }
