"""How much rounding noise a node's output gets from int8, and which factors a channel make it least. Pure.

In: ranges of the channels that nodes take, and their weights. Out: one positive factor a channel, by which its values
are to be divided and the weights that take them multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceedge.quantize.ranges import Doubles

Labels = NDArray[np.int64]
QUIETEST = 1e-3
"""A channel whose peak is below this share of the loudest one's is treated as if it were that loud."""
SIDES = (1.0, 0.5, 0.25, 0.1)
"""How far below 0, for each step above it, a centred activation may be made to reach."""


@dataclass(frozen=True, slots=True, eq=False)
class Taker:
    """What a node makes of the channels it takes; one number a channel each.

    labels: who the channels are. loud: power of the weights. low, high: extremes. powers: mean square, for each weight
    that a channel meets. tops: largest weights (outputs, channels); None for a depthwise node, whose weights have a
    step of their own a channel. is_centred: the middle between the extremes will be moved to 0.
    """

    labels: Labels
    loud: Doubles
    low: Doubles
    high: Doubles
    powers: Doubles
    tops: Doubles | None
    is_centred: bool = False

    def noise(self, factors: Doubles) -> float:
        """Power of the rounding errors in the output over that of the output, but for a constant."""
        high, low = float((self.high / factors).max()), float((self.low / factors).min())
        reach = (high - low) / 2 if self.is_centred else max(high, -low)
        noise = reach**2 * float((self.loud * factors**2).sum())
        if self.tops is not None:
            noise += float(((self.tops * factors).max(axis=1) ** 2).sum() * (self.powers / factors**2).sum())
        return noise / max(float((self.loud * self.powers).sum()), 1e-30)

    def gain_db(self, factors: Doubles) -> float:
        """By how much these factors lower the noise."""
        least = 1e-30
        return 10 * float(np.log10((self.noise(np.ones(len(factors))) + least) / (self.noise(factors) + least)))


def best_factors(takers: Sequence[Taker]) -> tuple[Labels, Doubles]:
    """The labels of a group of nodes that share channels, sorted, and their factors with the least noise in all."""
    labels = np.unique(np.concatenate([taker.labels for taker in takers]))
    places = [np.searchsorted(labels, taker.labels) for taker in takers]
    best, least = np.ones(len(labels)), np.inf
    for factors in _candidates(takers, places, len(labels)):
        noise = sum(taker.noise(factors[place]) for taker, place in zip(takers, places, strict=True))
        if noise < least * 0.999:
            best, least = factors, noise
    return labels, best


def _candidates(takers: Sequence[Taker], places: Sequence[Labels], count: int) -> Iterator[Doubles]:
    """None; then what evens out the peaks, in full or in part, with or without regard to the weights."""
    yield np.ones(count)
    dense = [
        (taker.tops.max(axis=0), place) for taker, place in zip(takers, places, strict=True) if taker.tops is not None
    ]
    tops = _together(dense, count)
    for side in SIDES if all(taker.is_centred for taker in takers) else SIDES[:1]:
        reach = [np.maximum(taker.high, -taker.low / side) for taker in takers]
        peaks = _together(list(zip(reach, places, strict=True)), count)
        for share in np.linspace(0.1, 1.0, 10):
            for cost in (0.0, 0.5, 1.0):
                factors = peaks**share / tops ** (cost * (1 - share))
                yield factors / np.exp(np.log(factors).mean())


def _together(parts: Sequence[tuple[Doubles, Labels]], count: int) -> Doubles:
    """Geometric mean over the nodes of what each says of a channel, relative to its loudest one."""
    total, seen = np.zeros(count), np.zeros(count)
    for values, place in parts:
        loudest = max(float(values.max()), 1e-30)
        merged = np.zeros(count)
        np.maximum.at(merged, place, values / loudest)
        there = np.bincount(place, minlength=count) > 0
        total += np.where(there, np.log(np.maximum(merged, QUIETEST)), 0)
        seen += there
    return np.asarray(np.exp(total / np.maximum(seen, 1)))
