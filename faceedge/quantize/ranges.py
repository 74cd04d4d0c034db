"""What passes through a tensor over all calibration images: a histogram of magnitudes and a few numbers a channel.

In: activations, batch by batch. Out: `Ranges`, of bounded size however many batches pass, which can be saved and
taken up again. Everything is a sum or a maximum, so the same batches in the same order give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats

BINS = 2048
Doubles = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Spread:
    """Of one tensor. counts: how many values have a magnitude in each of BINS equal bins from 0 to `top`.

    Per channel: `peak`, the largest magnitude; `total` and `squares`, sums over `seen` values each.
    """

    axis: int
    top: float = 0.0
    counts: Doubles = field(default_factory=lambda: np.zeros(BINS))
    peak: Doubles = field(default_factory=lambda: np.zeros(0))
    total: Doubles = field(default_factory=lambda: np.zeros(0))
    squares: Doubles = field(default_factory=lambda: np.zeros(0))
    seen: int = 0

    def add(self, values: Floats) -> None:
        """Takes the values of one run, whose axis 0 is the batch."""
        channels = np.moveaxis(values, self.axis, 0).reshape(values.shape[self.axis], -1)
        magnitude = np.abs(channels)
        peak = magnitude.max(axis=1)
        self._widen(float(peak.max(initial=0.0)))
        if self.top > 0:
            places = np.minimum((magnitude * np.float32(BINS / self.top)).astype(np.int32), BINS - 1)
            self.counts += np.bincount(places.ravel(), minlength=BINS)
        if not self.seen:
            self.peak, self.total, self.squares = (np.zeros(len(channels)) for _ in range(3))
        self.peak = np.maximum(self.peak, peak)
        self.total += channels.sum(axis=1, dtype=np.float64)
        self.squares += np.einsum("cn,cn->c", channels, channels, dtype=np.float64)
        self.seen += channels.shape[1]

    @property
    def middles(self) -> Doubles:
        """The magnitude in the middle of each bin."""
        return np.asarray((np.arange(BINS) + 0.5) * (self.top / BINS), np.float64)

    @property
    def mean_square(self) -> Doubles:
        """Per channel."""
        return np.asarray(self.squares / max(self.seen, 1))

    def _widen(self, peak: float) -> None:
        """Doubles the bins' width until the largest value fits: two bins become one."""
        if peak > self.top and self.top == 0:
            self.top = peak
            return
        while peak > self.top:
            self.top *= 2
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2)])


class Ranges:
    """The spreads of several tensors, by name. axes: each tensor's channel axis."""

    def __init__(self, axes: dict[str, int]) -> None:
        self.spreads = {name: Spread(axis) for name, axis in axes.items()}
        self.images = 0

    def add(self, tensors: dict[str, NDArray[Any]]) -> None:
        """Takes the tensors of one run over a few images."""
        for name, spread in self.spreads.items():
            spread.add(tensors[name])
        self.images += len(next(iter(tensors.values())))

    def __getitem__(self, name: str) -> Spread:
        return self.spreads[name]
