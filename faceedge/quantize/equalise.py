"""Scales channels so that a tensor with one step for all of them loses less (Nagel et al. 2019, arXiv 1906.04721).

In: a network and the ranges of its activations. Out: the same network, equal up to float rounding, in which quiet
channels are louder and loud ones quieter. Factors move through positively homogeneous operators to the constants that
make and take the channels; where there is no way, a multiplication is put in front of the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from faceedge.quantize.channels import Carrier, Channels, Labels
from faceedge.quantize.network import Network, Weighted
from faceedge.quantize.ranges import Doubles, Ranges
from faceedge.types import Floats

QUIETEST = 1e-3
"""A channel whose peak is below this share of the loudest one is not made louder than that would be."""
WORTH_A_NODE_DB = 6.0
"""A multiplication is put in only where it takes this much noise away."""


@dataclass(frozen=True, slots=True, eq=False)
class Taker:
    """What a node makes of the channels it takes; one number a channel each.

    loud: power of the weights. peaks: largest magnitude. powers: mean square. tops: largest weights (outputs,
    channels); None for a depthwise node, whose weights have a step of their own a channel.
    """

    roots: Labels
    loud: Doubles
    peaks: Doubles
    powers: Doubles
    tops: Doubles | None

    def noise(self, factors: Doubles) -> float:
        """Power of the output's rounding errors over its own, in steps of the full scale, channels being divided."""
        signal = float((self.loud * self.powers).sum())
        noise = float((self.peaks / factors).max() ** 2 * (self.loud * factors**2).sum())
        if self.tops is not None:
            noise += float(((self.tops * factors).max(axis=1) ** 2).sum() * (self.powers / factors**2).sum())
        return noise / max(signal, 1e-30)


def equalised(network: Network, ranges: Ranges) -> tuple[Network, dict[str, float]]:
    """The network with its channels evened out; and for each node that gains, by how many dB its noise falls."""
    own, channels = network.copy(), Channels(network)
    takers = dict(_takers(network, channels, ranges))
    factors = np.ones(channels.count)
    free = {name: taker for name, taker in takers.items() if channels.are_free(taker.roots)}
    for names in _groups(free):
        roots, best = _best([free[name] for name in names])
        factors[roots] = best
    every = channels.roots(np.arange(channels.count))
    for carrier in channels.carriers:
        _rescale(own, carrier, factors[every[carrier.labels]])
    gains = {name: _gain(taker, factors[taker.roots]) for name, taker in takers.items()}
    for node in network.weighted():
        taker = takers.get(node.name)
        if taker is not None and node.name not in free:
            gains[node.name] = _put_in_front(own, node, taker)
    return own, {name: gain for name, gain in gains.items() if gain > 0}


def _takers(network: Network, channels: Channels, ranges: Ranges) -> Iterator[tuple[str, Taker]]:
    for node in network.weighted():
        weights, spread = network.value(node.weight).astype(np.float64), ranges[node.data]
        count = len(spread.peak)
        labelled = channels.tensors.get(node.data)
        roots = channels.roots(labelled.labels) if labelled is not None else -1 - np.arange(count)
        area = int(np.prod(weights.shape[2:]))
        if node.groups == 1 and weights.shape[1 - node.axis] == count:
            rows = np.moveaxis(weights, (node.axis, 1 - node.axis), (0, 1)).reshape(-1, count, area)
            tops = np.abs(rows).max(axis=2)
            yield node.name, Taker(roots, (rows**2).sum(axis=(0, 2)), spread.peak, spread.mean_square * area, tops)
        elif node.kind == "Conv" and weights.shape[1] == 1 and node.groups == count:
            loud = (weights**2).reshape(count, -1).sum(axis=1)
            yield node.name, Taker(roots, loud, spread.peak, spread.mean_square, None)


def _groups(takers: Mapping[str, Taker]) -> list[list[str]]:
    """Nodes whose channels hang together."""
    groups: list[tuple[set[int], list[str]]] = []
    for name, taker in takers.items():
        roots, names = set(taker.roots.tolist()), [name]
        for other in [group for group in groups if group[0] & roots]:
            groups.remove(other)
            roots, names = roots | other[0], other[1] + names
        groups.append((roots, names))
    return [names for _, names in groups]


def _best(takers: Sequence[Taker]) -> tuple[Labels, Doubles]:
    """The roots of a group, sorted, and their factors with the least noise over all its nodes."""
    roots = np.unique(np.concatenate([taker.roots for taker in takers]))
    places = [np.searchsorted(roots, taker.roots) for taker in takers]
    peaks = _mean([(taker.peaks, place) for taker, place in zip(takers, places, strict=True)], len(roots))
    tops = _mean(
        [
            (taker.tops.max(axis=0), place)
            for taker, place in zip(takers, places, strict=True)
            if taker.tops is not None
        ],
        len(roots),
    )
    best, least = np.ones(len(roots)), np.inf
    for factors in _candidates(peaks, tops):
        noise = sum(taker.noise(factors[place]) for taker, place in zip(takers, places, strict=True))
        if noise < least * 0.999:
            best, least = factors, noise
    return roots, best


def _mean(parts: Sequence[tuple[Doubles, Labels]], count: int) -> Doubles:
    """Geometric mean over the nodes of what each says of a channel, relative to its loudest one."""
    total, seen = np.zeros(count), np.zeros(count)
    for values, place in parts:
        merged = np.zeros(count)
        np.maximum.at(merged, place, values)
        there = np.bincount(place, minlength=count) > 0
        logs = np.log(np.maximum(merged, QUIETEST * max(float(values.max()), 1e-30)) / max(float(values.max()), 1e-30))
        total, seen = total + np.where(there, logs, 0), seen + there
    return np.asarray(np.exp(total / np.maximum(seen, 1)))


def _candidates(peaks: Doubles, tops: Doubles) -> Iterator[Doubles]:
    """None, then what evens out the peaks, in full or in part, at the weights' cost or not."""
    yield np.ones(len(peaks))
    for share in np.linspace(0.1, 1.0, 10):
        for cost in (0.0, 0.5, 1.0):
            factors = peaks**share / tops ** (cost * (1 - share))
            yield factors / np.exp(np.log(factors).mean())


def _gain(taker: Taker, factors: Doubles) -> float:
    return 10 * float(np.log10(taker.noise(np.ones(len(factors))) / taker.noise(factors)))


def _rescale(network: Network, carrier: Carrier, factors: Doubles) -> None:
    if (factors == 1).all():
        return
    node = network.node(carrier.node)
    value = network.value(node.input[carrier.index]).astype(np.float64)
    value = value.reshape((1,) * (carrier.rank - value.ndim) + value.shape)
    shape = [1] * value.ndim
    shape[carrier.axis] = -1
    name = network.own(node, carrier.index)
    network.put(name, (value * factors.reshape(shape) ** carrier.power).astype(np.float32))


def _put_in_front(network: Network, node: Weighted, taker: Taker) -> float:
    """A multiplication before a node whose channels are not free; returns the gain, 0 where it is not worth it."""
    alone = Taker(np.arange(len(taker.roots)), taker.loud, taker.peaks, taker.powers, taker.tops)
    _, factors = _best([alone])
    gain = _gain(alone, factors)
    if gain < WORTH_A_NODE_DB:
        return 0.0
    target = network.node(node.name)
    weights = network.value(network.own(target, 1)).astype(np.float64)
    labels = np.arange(len(factors))
    axis = 0 if node.groups > 1 else 1 - node.axis
    factors = factors if node.groups == 1 else np.repeat(factors, weights.shape[0] // node.groups)
    _rescale(network, Carrier(node.name, 1, labels, axis, weights.ndim, 1), factors)
    _insert(network, target, (1 / factors).astype(np.float32), 0 if node.kind in ("MatMul", "Gemm") else 2)
    return gain


def _insert(network: Network, target: onnx.NodeProto, factors: Floats, spatial: int) -> None:
    name = f"{target.name}/evened"
    network.put(f"{name}/factors", factors.reshape((-1,) + (1,) * spatial))
    node = onnx.helper.make_node("Mul", [target.input[0], f"{name}/factors"], [name], name=name)
    place = next(index for index, one in enumerate(network.nodes) if one.name == target.name)
    target.input[0] = name
    network.nodes.insert(place, node)
