"""Ranks nodes by how much their own quantisation harms the outputs.

In: a float network, its Q/DQ form and some images. Out: `Harm` by node. Each node alone is run in int8 and the outputs
compared with the float ones, pair by pair. Harms add up (measured: the sum over the nodes of a network is its harm as
a whole, within a tenth), so the ranking tells beforehand what returning a set of nodes to float will bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from faceedge.quantize.observe import Observer, Tensors
from faceedge.types import Floats


@dataclass(frozen=True, slots=True)
class Harm:
    """harm: error power in the outputs over their own, mean over images and outputs, when only this node is in int8.
    share: of the network's multiply-adds."""

    node: str
    harm: float
    share: float


def harms(
    network: onnx.ModelProto,
    rounded: onnx.ModelProto,
    shares: Mapping[str, float],
    batches: Iterable[Floats],
) -> list[Harm]:
    """Of the nodes in `shares`, the most harm for each multiply-add first."""
    images = list(batches)
    names = [value.name for value in network.graph.output]
    wanted = _outputs(network, names, images)
    found = [
        Harm(name, _distance(wanted, _outputs(only(rounded, name), names, images)), share)
        for name, share in shares.items()
    ]
    return sorted(found, key=lambda one: (-one.harm / max(one.share, 1e-9), one.node))


def only(rounded: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A Q/DQ model in which all nodes but the named one run in float again."""
    model = onnx.ModelProto()
    model.CopyFrom(rounded)
    source = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    plain = {
        node.output[0]: source[node.input[0]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in source
    }
    for node in model.graph.node:
        if node.name != name:
            node.input[:] = [plain.get(one, one) for one in node.input]
    return model


def _outputs(model: onnx.ModelProto, names: Sequence[str], images: Sequence[Floats]) -> list[Tensors]:
    """The outputs of every run; images of several sizes are runs of their own."""
    observer = Observer(model, names)
    return [run for batch in images for run in observer.run(batch)]


def _distance(wanted: Sequence[Tensors], found: Sequence[Tensors]) -> float:
    shares = [_relative(a[name], b[name]) for a, b in zip(wanted, found, strict=True) for name in a]
    return float(np.concatenate(shares).mean())


def _relative(wanted: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
    """Error power over power, an image."""
    rows = wanted.reshape(len(wanted), -1).astype(np.float64)
    errors = found.reshape(len(found), -1) - rows
    return np.asarray((errors**2).sum(axis=1) / np.maximum((rows**2).sum(axis=1), 1e-20))
