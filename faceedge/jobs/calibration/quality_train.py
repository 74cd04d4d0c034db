"""Fits the weights of a light head: one hidden layer, logistic outputs, by Adam (Kingma and Ba 2015) in numpy.

Ten thousand rows take seconds on one core, and the same rows and seed give the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from faceedge.types import Floats

Progress = Callable[[float], None]
BATCH = 128
BETAS, TINY = (0.9, 0.999), 1e-8


@dataclass(frozen=True, slots=True)
class Training:
    """units: of the hidden layer. decay: of all weights but biases. rate: the first step; it falls to nothing."""

    units: int = 8
    decay: float = 1e-4
    rate: float = 8e-3
    epochs: int = 80
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Net:
    """hidden (inputs, units), bias (units,), out (units, outputs), out_bias (outputs,); float32."""

    hidden: Floats
    bias: Floats
    out: Floats
    out_bias: Floats

    def logits(self, rows: Floats) -> Floats:
        """(n, outputs) of rows (n, inputs)."""
        found: Floats = np.tanh(rows @ self.hidden + self.bias) @ self.out + self.out_bias
        return found


def train(rows: Floats, targets: Floats, weights: Floats, how: Training, tell: Progress = lambda _done: None) -> Net:
    """rows (n, inputs); targets (n, outputs) in 0..1; weights (n, outputs): how much each answer counts."""
    dice = np.random.default_rng(how.seed)
    inputs, outputs = rows.shape[1], targets.shape[1]
    shares = (targets * weights).sum(0) / np.maximum(weights.sum(0), 1e-9)
    shares = np.clip(shares, 0.01, 0.99)
    values = [
        dice.normal(size=(inputs, how.units)) / np.sqrt(inputs), np.zeros(how.units),
        0.1 * dice.normal(size=(how.units, outputs)), np.log(shares / (1 - shares)),
    ]  # fmt: skip
    parts: list[Floats] = [np.asarray(value, np.float32) for value in values]
    steps = how.epochs * -(-len(rows) // BATCH)
    adam = _Adam(parts)
    at = 0
    for epoch in range(how.epochs):
        order = dice.permutation(len(rows))
        for start in range(0, len(rows), BATCH):
            some = order[start : start + BATCH]
            slopes = _slopes(Net(*parts), rows[some], targets[some], weights[some], how.decay)
            parts = adam.stepped(parts, slopes, how.rate * (1 - at / steps))
            at += 1
        tell((epoch + 1) / how.epochs)
    return Net(*parts)


def mean(nets: Sequence[Net]) -> Net:
    """Networks over the same inputs as one that answers their mean."""
    share = np.float32(1 / len(nets))
    return Net(
        np.hstack([net.hidden for net in nets]), np.concatenate([net.bias for net in nets]),
        np.vstack([net.out for net in nets]) * share, np.sum([net.out_bias for net in nets], axis=0) * share,
    )  # fmt: skip


def beside(one: Net, other: Net) -> Net:
    """Two networks over the same inputs as one, the outputs of the second after those of the first."""
    apart = (np.zeros((one.out.shape[0], other.out.shape[1])), np.zeros((other.out.shape[0], one.out.shape[1])))
    out = np.block([[one.out, apart[0]], [apart[1], other.out]]).astype(np.float32)
    return Net(
        np.hstack([one.hidden, other.hidden]), np.concatenate([one.bias, other.bias]), out,
        np.concatenate([one.out_bias, other.out_bias]),
    )  # fmt: skip


def _slopes(net: Net, rows: Floats, targets: Floats, weights: Floats, decay: float) -> list[Floats]:
    """Of the mean cross-entropy and the decay, by part."""
    hidden = np.tanh(rows @ net.hidden + net.bias)
    logits = hidden @ net.out + net.out_bias
    off = (1 / (1 + np.exp(-np.clip(logits, -30, 30))) - targets) * weights / np.float32(len(rows))
    back = (off @ net.out.T) * (1 - hidden * hidden)
    slopes = [
        rows.T @ back + 2 * decay * net.hidden, back.sum(0), hidden.T @ off + 2 * decay * net.out, off.sum(0),
    ]  # fmt: skip
    return [np.asarray(slope, np.float32) for slope in slopes]


class _Adam:
    def __init__(self, parts: list[Floats]) -> None:
        self._first = [np.zeros_like(part) for part in parts]
        self._second = [np.zeros_like(part) for part in parts]
        self._steps = 0

    def stepped(self, parts: list[Floats], slopes: list[Floats], rate: float) -> list[Floats]:
        self._steps += 1
        one, two = BETAS
        ready = np.float32(rate * (1 - two**self._steps) ** 0.5 / (1 - one**self._steps))
        self._first = [one * first + (1 - one) * slope for first, slope in zip(self._first, slopes, strict=True)]
        self._second = [two * second + (1 - two) * slope**2 for second, slope in zip(self._second, slopes, strict=True)]
        moves = [first / (np.sqrt(second) + TINY) for first, second in zip(self._first, self._second, strict=True)]
        return [np.asarray(part - ready * move, np.float32) for part, move in zip(parts, moves, strict=True)]
