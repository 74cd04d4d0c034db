"""Evens out the channels of activations, which have one step for all (Nagel et al. 2019, arXiv 1906.04721).

In: a network and the ranges of its activations. Out: the same network, equal up to float rounding, in which quiet
channels are louder and loud ones quieter. Factors move through positively homogeneous operators to the constants that
make and take the channels; where there is no way, a multiplication is put in front of the node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import onnx

from faceedge.quantize.centre import can_centre
from faceedge.quantize.channels import Carrier, Channels
from faceedge.quantize.network import Network, Weighted
from faceedge.quantize.noise import Taker, best_factors
from faceedge.quantize.ranges import Doubles, Ranges, Spread

WORTH_A_NODE_DB = 6.0
"""A multiplication is put in only where it takes this much noise away."""


@dataclass(frozen=True, slots=True, eq=False)
class Evened:
    """gains_db: by how much the noise of each node falls that gains. reach: lowest and highest value that each node
    takes which is to be centred."""

    network: Network
    gains_db: Mapping[str, float]
    reach: Mapping[str, tuple[float, float]]


def equalised(network: Network, ranges: Ranges, *, centre: bool = False) -> Evened:
    """centre: reckon with `centre.centred` afterwards."""
    own, channels = network.copy(), Channels(network)
    takers = dict(_takers(network, channels, ranges, centre))
    factors = np.ones(channels.count)
    free = {name: taker for name, taker in takers.items() if channels.are_free(taker.labels)}
    for names in _groups(free):
        labels, best = best_factors([free[name] for name in names])
        factors[labels] = best
    every = channels.roots(np.arange(channels.count))
    for carrier in channels.carriers:
        _rescale(own, carrier, factors[every[carrier.labels]])
    found = {name: factors[taker.labels] for name, taker in free.items()}
    found |= {name: _put_in_front(own, network, name, taker) for name, taker in takers.items() if name not in free}
    gains = {name: takers[name].gain_db(chosen) for name, chosen in found.items()}
    reach = {name: _reach(takers[name], chosen) for name, chosen in found.items() if takers[name].is_centred}
    return Evened(own, {name: gain for name, gain in gains.items() if gain > 0}, reach)


def _takers(network: Network, channels: Channels, ranges: Ranges, centre: bool) -> Iterator[tuple[str, Taker]]:
    for node in network.weighted():
        spread, labelled = ranges[node.data], channels.tensors.get(node.data)
        unknown = -1 - np.arange(len(spread.low))
        taker = _taker(network.value(node.weight).astype(np.float64), node, spread)
        if taker is not None:
            labels = unknown if labelled is None else channels.roots(labelled.labels)
            yield node.name, replace(taker, labels=labels, is_centred=centre and can_centre(network, node))


def _taker(weights: Doubles, node: Weighted, spread: Spread) -> Taker | None:
    count, area = len(spread.low), int(np.prod(weights.shape[2:]))
    nobody = np.zeros(0, np.int64)
    if node.groups == 1 and weights.ndim >= 2 and weights.shape[1 - node.axis] == count:
        rows = np.moveaxis(weights, (node.axis, 1 - node.axis), (0, 1)).reshape(-1, count, area)
        loud, tops = (rows**2).sum(axis=(0, 2)), np.abs(rows).max(axis=2)
        return Taker(nobody, loud, spread.low, spread.high, spread.mean_square * area, tops)
    if node.kind == "Conv" and weights.shape[1] == 1 and node.groups == count:
        loud = (weights**2).reshape(count, -1).sum(axis=1)
        return Taker(nobody, loud, spread.low, spread.high, spread.mean_square, None)
    return None


def _groups(takers: Mapping[str, Taker]) -> list[list[str]]:
    """Nodes whose channels hang together."""
    groups: list[tuple[set[int], list[str]]] = []
    for name, taker in takers.items():
        labels, names = set(taker.labels.tolist()), [name]
        for other in [group for group in groups if group[0] & labels]:
            groups.remove(other)
            labels, names = labels | other[0], other[1] + names
        groups.append((labels, names))
    return [names for _, names in groups]


def _rescale(network: Network, carrier: Carrier, factors: Doubles) -> None:
    if (factors == 1).all():
        return
    node = network.node(carrier.node)
    name = network.own(node, carrier.index)
    value = network.value(name).astype(np.float64)
    value = value.reshape((1,) * (carrier.rank - value.ndim) + value.shape)
    shape = [1] * value.ndim
    shape[carrier.axis] = -1
    network.put(name, (value * factors.reshape(shape) ** carrier.power).astype(np.float32))


def _put_in_front(own: Network, network: Network, name: str, taker: Taker) -> Doubles:
    """A multiplication before a node whose channels are not free; returns the factors, 1 where it is not worth it."""
    alone = replace(taker, labels=np.arange(len(taker.labels)))
    _, factors = best_factors([alone])
    if alone.gain_db(factors) < WORTH_A_NODE_DB:
        return np.ones(len(factors))
    node = next(one for one in network.weighted() if one.name == name)
    weights = network.value(node.weight)
    axis, spread = (
        (1 - node.axis, factors) if node.groups == 1 else (0, np.repeat(factors, len(weights) // node.groups))
    )
    _rescale(own, Carrier(name, 1, np.arange(len(spread)), axis, weights.ndim, 1), spread)
    target, inserted = own.node(name), f"{name}/evened"
    shape = (-1,) + (1,) * (0 if node.kind in ("MatMul", "Gemm") else weights.ndim - 2)
    own.put(f"{inserted}/factors", (1 / factors).reshape(shape).astype(np.float32))
    product = onnx.helper.make_node("Mul", [target.input[0], f"{inserted}/factors"], [inserted], name=inserted)
    target.input[0] = inserted
    own.nodes.insert(list(own.nodes).index(target), product)
    return factors


def _reach(taker: Taker, factors: Doubles) -> tuple[float, float]:
    return float((taker.low / factors).min()), float((taker.high / factors).max())
