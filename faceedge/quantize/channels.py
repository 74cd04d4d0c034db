"""Which channels of a network's tensors can be scaled, and which must be scaled together. Pure.

In: a network. Out: `Channels`. Every channel of a tensor bears a label; operators that commute with a positive factor
pass labels on, an addition joins those of its operands, and any other operator freezes those of its inputs. The values
of a free label can be divided by a factor, if the constants that make it are divided and those that take it multiplied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from faceedge.quantize.network import WEIGHTED, Network, attribute, output_axis

Labels = NDArray[np.int64]

_COMMUTING = ("Relu", "PRelu", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity", "Resize")


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A tensor's labels, one a channel, the axis on which its channels lie, and its rank."""

    labels: Labels
    axis: int
    rank: int


@dataclass(frozen=True, slots=True, eq=False)
class Carrier:
    """A constant of a node that changes with labelled channels: axis `axis` of it, when it has all `rank` axes.

    power: -1 where it makes the channels (it is divided by their factors), +1 where it takes them.
    """

    node: str
    index: int
    labels: Labels
    axis: int
    rank: int
    power: int


class Channels:
    """tensors: labels by tensor. carriers: the constants to change. Labels that were joined have one root."""

    def __init__(self, network: Network) -> None:
        self.tensors: dict[str, Labelled] = {}
        self.carriers: list[Carrier] = []
        self._network = network
        self._parents: list[int] = []
        self._frozen: set[int] = set()
        self._ranks = dict(_ranks(network.model))
        for node in network.nodes:
            _RULES.get(node.op_type, Channels._foreign)(self, node)
        for name in network.outputs:
            self._freeze(name)
        self._frozen = {self._root(label) for label in self._frozen}

    @property
    def count(self) -> int:
        """How many labels there are; they are 0..count-1."""
        return len(self._parents)

    def roots(self, labels: Labels) -> Labels:
        """The root of each label."""
        return np.array([self._root(int(label)) for label in labels], np.int64)

    def are_free(self, labels: Labels) -> bool:
        """Whether all of these channels may be scaled; labels below 0 are of tensors that bear none."""
        return bool((labels >= 0).all()) and self._frozen.isdisjoint(self.roots(labels).tolist())

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label

    def _join(self, one: Labels, other: Labels) -> None:
        for a, b in zip(self.roots(one), self.roots(other), strict=True):
            low, high = sorted((self._root(int(a)), self._root(int(b))))
            self._parents[high] = low

    def _freeze(self, tensor: str) -> None:
        if tensor in self.tensors:
            self._frozen.update(int(label) for label in self.tensors[tensor].labels)

    def _fresh(self, tensor: str, count: int, axis: int) -> Labels:
        labels = np.arange(len(self._parents), len(self._parents) + count)
        self._parents.extend(int(label) for label in labels)
        rank = self._ranks.get(tensor, 0)
        self.tensors[tensor] = Labelled(labels, axis % rank if rank else axis, rank)
        if not rank:
            self._freeze(tensor)
        return labels

    def _carry(self, node: onnx.NodeProto, index: int, labels: Labels, axis: int, power: int, rank: int = 0) -> None:
        rank = rank or self._network.value(node.input[index]).ndim
        self.carriers.append(Carrier(node.name, index, labels, axis, rank, power))

    def _foreign(self, node: onnx.NodeProto) -> None:
        for name in node.input:
            self._freeze(name)

    def _weighted(self, node: onnx.NodeProto) -> None:
        if not self._network.is_constant(node.input[1]) or not self._takes(node):
            self._foreign(node)
        if not self._network.is_constant(node.input[1]):
            return
        weights = self._network.value(node.input[1])
        axis = output_axis(node, weights.ndim)
        labels = self._fresh(node.output[0], weights.shape[axis], -1 if node.op_type == "MatMul" else 1)
        self._carry(node, 1, labels, axis, -1)
        if len(node.input) > 2 and node.input[2]:
            self._carry(node, 2, labels, self._network.value(node.input[2]).ndim - 1, -1)

    def _takes(self, node: onnx.NodeProto) -> bool:
        """Notes that the weights take the channels of the node's input; False where they cannot."""
        taken, weights = self.tensors.get(node.input[0]), self._network.value(node.input[1])
        groups, axis = attribute(node, "group", 1), output_axis(node, weights.ndim)
        if taken is None or weights.ndim < 2 or (node.op_type == "MatMul" and weights.ndim != 2):
            return False
        if groups == 1 and weights.shape[1 - axis] == len(taken.labels):
            self._carry(node, 1, taken.labels, 1 - axis, 1)
            return True
        if node.op_type == "Conv" and weights.shape[1] == 1 and groups == len(taken.labels):
            self._carry(node, 1, np.repeat(taken.labels, weights.shape[0] // groups), 0, 1)
            return True
        return False

    def _commuting(self, node: onnx.NodeProto) -> None:
        taken = self.tensors.get(node.input[0])
        if taken is not None:
            self.tensors[node.output[0]] = taken

    def _transpose(self, node: onnx.NodeProto) -> None:
        taken = self.tensors.get(node.input[0])
        if taken is not None:
            order = list(attribute(node, "perm", list(reversed(range(taken.rank)))))
            self.tensors[node.output[0]] = Labelled(taken.labels, order.index(taken.axis), taken.rank)

    def _flatten(self, node: onnx.NodeProto) -> None:
        """Channels by rows by columns become one axis: each label as often as there are places."""
        taken, sizes = self.tensors.get(node.input[0]), _sizes(self._network.model).get(node.input[0], [])
        if taken is None or taken.axis != 1 or attribute(node, "axis", 1) != 1 or not all(sizes[1:]):
            self._foreign(node)
            return
        places = int(np.prod(sizes[2:]))
        self.tensors[node.output[0]] = Labelled(np.repeat(taken.labels, places), 1, 2)

    def _concat(self, node: onnx.NodeProto) -> None:
        parts = [self.tensors.get(name) for name in node.input]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts) or any(part.axis != attribute(node, "axis", 0) % part.rank for part in known):
            self._foreign(node)
            return
        labels = np.concatenate([part.labels for part in known])
        self.tensors[node.output[0]] = Labelled(labels, known[0].axis, known[0].rank)

    def _add(self, node: onnx.NodeProto) -> None:
        one, other = (self.tensors.get(name) for name in node.input)
        if one is not None and other is not None and len(one.labels) == len(other.labels) and one.axis == other.axis:
            self._join(one.labels, other.labels)
            self.tensors[node.output[0]] = one
            return
        for index, taken in ((1, one), (0, other)):
            if taken is not None and self._network.is_constant(node.input[index]):
                self._carry(node, index, taken.labels, taken.axis, -1, taken.rank)
                self.tensors[node.output[0]] = taken
                return
        self._foreign(node)

    def _multiply(self, node: onnx.NodeProto) -> None:
        """A constant factor a channel both takes and makes: what goes in and what comes out are scaled apart."""
        power = -1 if node.op_type == "Div" else 1
        places = [index for index, name in enumerate(node.input) if self._network.is_constant(name)]
        if len(places) != 1 or (power == -1 and places != [1]):
            self._foreign(node)
            return
        taken = self.tensors.get(node.input[1 - places[0]])
        rank = self._ranks.get(node.output[0], 0)
        if taken is not None:
            self._carry(node, places[0], taken.labels, taken.axis, power, taken.rank)
            labels = self._fresh(node.output[0], len(taken.labels), taken.axis)
            self._carry(node, places[0], labels, taken.axis, -power, taken.rank)
        elif power == 1 and rank and (sizes := _sizes(self._network.model).get(node.output[0], [])) and sizes[-1]:
            labels = self._fresh(node.output[0], sizes[-1], rank - 1)
            self._carry(node, places[0], labels, rank - 1, -1, rank)

    def _layer_norm(self, node: onnx.NodeProto) -> None:
        self._foreign(node)
        scale = self._network.value(node.input[1])
        if scale.ndim == 1:
            labels = self._fresh(node.output[0], len(scale), -1)
            for index in range(1, len(node.input)):
                self._carry(node, index, labels, 0, -1)


_RULES: dict[str, Callable[[Channels, onnx.NodeProto], None]] = {
    **dict.fromkeys(WEIGHTED, Channels._weighted),
    **dict.fromkeys(_COMMUTING, Channels._commuting),
    "Transpose": Channels._transpose, "Flatten": Channels._flatten, "Concat": Channels._concat,
    "Add": Channels._add, "Mul": Channels._multiply, "Div": Channels._multiply,
    "LayerNormalization": Channels._layer_norm,
}  # fmt: skip


def _sizes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Known sizes of each tensor's axes; 0 where they are free."""
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    return {value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in values}


def _ranks(model: onnx.ModelProto) -> Iterator[tuple[str, int]]:
    for name, sizes in _sizes(model).items():
        yield name, len(sizes)
