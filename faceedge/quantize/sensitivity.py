"""Ranks nodes by how much their own quantisation harms the outputs.

In: a float network, Q/DQ forms of it in each of which one node alone is rounded, and some images. Out: `Harm` by node,
from the outputs of both, pair by pair. Harms add up (measured on EdgeFace and MobileFaceNet: their sum is the harm of
the whole within a twentieth), so the ranking tells beforehand what returning a set of nodes to float will bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from faceedge.quantize.observe import Observer, Tensors
from faceedge.types import Floats

LEAST_SHARE = 1e-4
"""A node with less of the multiply-adds counts as if it had so much: it costs nothing, but may bring nothing either."""


@dataclass(frozen=True, slots=True)
class Harm:
    """harm: error power in the outputs over their own, mean over images and outputs, when only this node is in int8.
    share: of the network's multiply-adds."""

    node: str
    harm: float
    share: float

    @property
    def worth(self) -> float:
        """Harm that goes for each multiply-add that returns to float."""
        return self.harm / max(self.share, LEAST_SHARE)


def harms(
    network: onnx.ModelProto,
    alone: Iterable[tuple[str, onnx.ModelProto]],
    shares: Mapping[str, float],
    batches: Iterable[Floats],
) -> list[Harm]:
    """The most harm for each multiply-add first. alone: by node, the network with that node rounded."""
    images = list(batches)
    names = [value.name for value in network.graph.output]
    wanted = _outputs(network, names, images)
    found = [Harm(name, _distance(wanted, _outputs(model, names, images)), shares[name]) for name, model in alone]
    return sorted(found, key=lambda one: (-one.worth, one.node))


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
