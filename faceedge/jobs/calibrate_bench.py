"""The workbench of a calibration: a float graph and batches in, INT8 graphs with nodes returned to float out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from faceedge.jobs.calibrate_search import Harm, Made
from faceedge.quantize.network import read_network
from faceedge.quantize.observe import observed
from faceedge.quantize.ranges import Ranges
from faceedge.quantize.scales import Method, activation_scale, weight_scales
from faceedge.quantize.write import Scales, write_qdq
from faceedge.types import Floats


class Bench:
    """See `calibrate_search.Workbench`."""

    def __init__(self, graph: Path, batches: Callable[[], Iterator[Floats]]) -> None:
        self._network = read_network(graph)
        self._batches = batches
        self._ranges: Ranges | None = None

    def make(self, target: Path, method: Method, returned: Collection[str]) -> Made:
        network = self._network
        names = [node.data for node in network.weighted()]
        if self._ranges is None:
            ranges = Ranges({node.data: -1 if node.kind == "MatMul" else 1 for node in network.weighted()})
            for tensors in observed(network.model, names, self._batches()):
                ranges.add(tensors)
            self._ranges = ranges
        nodes = list(network.weighted())
        scales = Scales(
            {node.data: activation_scale(self._ranges[node.data], method) for node in nodes},
            {node.name: weight_scales(network.value(node.weight), node.axis, method) for node in nodes},
        )
        chosen = [node.name for node in nodes if node.name not in returned]
        model = write_qdq(network, scales, chosen)
        _sort(model)
        target.write_bytes(model.SerializeToString())
        sizes = {node.name: network.value(node.weight).size for node in nodes}
        total = sum(sizes.values())
        left = sum(size for name, size in sizes.items() if name in returned)
        return Made(target, tuple((name, "returned") for name in returned), left / total, 4 * total, total + 3 * left)

    def ranking(self, method: Method) -> Sequence[Harm]:
        sizes = {node.name: self._network.value(node.weight).size for node in self._network.weighted()}
        total = sum(sizes.values())
        return [Harm(name, float(np.sqrt(size)), size / total) for name, size in sizes.items()]


def _sort(model) -> None:
    known = {one.name for one in model.graph.initializer} | {one.name for one in model.graph.input} | {""}
    nodes, waiting = [], [type(node).FromString(node.SerializeToString()) for node in model.graph.node]
    while waiting:
        later = []
        for node in waiting:
            if set(node.input) <= known:
                nodes.append(node)
                known |= set(node.output)
            else:
                later.append(node)
        waiting = later
    del model.graph.node[:]
    model.graph.node.extend(nodes)
