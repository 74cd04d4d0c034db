"""Reads the layers of a network that dlib wrote, from the input to the output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from faceedge.models.importers.dlib_format import Stream
from faceedge.types import Floats

MAX_LAYERS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """weights (out, in, height, width), bias (out,); stride and padding are y, x."""

    weights: Floats
    bias: Floats
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """y = gamma * x + beta, per channel; also what a batch normalisation becomes."""

    gamma: Floats
    beta: Floats


@dataclass(frozen=True, slots=True)
class Relu:
    """max(x, 0)."""


@dataclass(frozen=True, slots=True)
class Pool:
    """kind `max` or `avg`; a kernel of 0 covers the whole image."""

    kind: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """weights (in, out), no bias."""

    weights: Floats


@dataclass(frozen=True, slots=True)
class Add:
    """Adds the branch left aside at the nearest mark; the smaller of the two is filled up with zeros."""


@dataclass(frozen=True, slots=True)
class Mark:
    """dlib's tag and skip layers, which it writes alike: one alone keeps the value for a later Add; of two in
    a row the first keeps the value for the Add and the second goes back to the mark before."""


Layer: TypeAlias = Conv | Affine | Relu | Pool | Dense | Add | Mark


@dataclass(frozen=True, slots=True)
class MmodOptions:
    """window: sides in px. nms: share of the hull above which two boxes are one face. covered: the same of a box."""

    window: tuple[int, int]
    nms: float
    covered: float


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """mean: of red, green and blue, taken off before the first layer. size: of the input, (0, 0) is free."""

    mean: tuple[float, float, float]
    size: tuple[int, int]
    layers: tuple[Layer, ...]
    mmod: MmodOptions | None


def read_network(path: Path) -> Network:
    """The network in a .dat file. Raises PackageError on anything else."""
    stream = Stream(path)
    stream.expect(1)
    mmod = _loss(stream)
    versions = _versions(stream)
    mean, size = _input(stream)
    layers = [_layer(stream)]
    _trailer(stream)
    stream.expect(1)  # sample expansion factor, of the innermost layer only
    for version in reversed(versions):
        if version == 1:
            layers.append(Mark())
        else:
            layers.append(_layer(stream))
            _trailer(stream)
    stream.end()
    return Network(mean, size, tuple(layers), mmod)


def _versions(stream: Stream) -> list[int]:
    """Outermost first: 2 is a layer, 1 a tag or skip, 3 the innermost layer."""
    versions: list[int] = []
    while (version := stream.expect(1, 2, 3)) != 3:
        versions.append(version)
        if len(versions) > MAX_LAYERS:
            stream.refuse("too many layers")
    return versions


def _loss(stream: Stream) -> MmodOptions | None:
    kind = stream.text()
    if kind == "loss_metric_2":
        stream.number(), stream.number()  # margin and distance it was trained with
        return None
    if kind != "loss_mmod_":
        stream.refuse(f"unknown loss {kind[:40]!r}")
    stream.expect(1)
    window = (stream.integer(), stream.integer())
    stream.number(), stream.number(), stream.number()  # of the training only
    nms, covered = stream.number(), stream.number()
    stream.number(), stream.number()
    return MmodOptions(window, nms, covered)


def _input(stream: Stream) -> tuple[tuple[float, float, float], tuple[int, int]]:
    kind = stream.text()
    if kind not in ("input_rgb_image_pyramid", "input_rgb_image_sized"):
        stream.refuse(f"unknown input {kind[:40]!r}")
    mean = (stream.number(), stream.number(), stream.number())
    size = (stream.integer(), stream.integer()) if kind == "input_rgb_image_sized" else (0, 0)
    return mean, size


def _layer(stream: Stream) -> Layer:
    kind = stream.text()
    read = _READERS.get(kind)
    if read is None:
        stream.refuse(f"unknown layer {kind[:40]!r}")
    return read(stream)


def _trailer(stream: Stream) -> None:
    for _ in range(3):
        stream.flag()
    for _ in range(3):
        stream.tensor()  # gradients and the cached output, empty in a file meant for use


def _conv(stream: Stream) -> Conv:
    values = stream.tensor().reshape(-1)
    filters = stream.integer()
    _, _, stride_y, stride_x, pad_y, pad_x = (stream.integer() for _ in range(6))
    weights, rest = _split(stream, values)
    bias, _ = _split(stream, rest)
    _multipliers(stream)
    if len(weights) != filters or bias.size != filters:
        stream.refuse("convolution with odd sizes")
    return Conv(weights, bias.reshape(-1), (stride_y, stride_x), (pad_y, pad_x))


def _affine(stream: Stream) -> Affine:
    gamma, beta = _gamma_beta(stream)
    stream.integer()  # whether it normalised a convolution
    return Affine(gamma, beta)


def _batch_norm(stream: Stream) -> Affine:
    gamma, beta = _gamma_beta(stream)
    stream.tensor(), stream.tensor()
    means, variances = stream.tensor().reshape(-1), stream.tensor().reshape(-1)
    stream.integer(), stream.integer()
    _multipliers(stream)
    scale = (gamma / np.sqrt(variances + np.float32(stream.number()))).astype(np.float32)
    return Affine(scale, beta - scale * means)


def _gamma_beta(stream: Stream) -> tuple[Floats, Floats]:
    values = stream.tensor().reshape(-1)
    gamma, rest = _split(stream, values)
    beta, _ = _split(stream, rest)
    return gamma.reshape(-1), beta.reshape(-1)


def _pool(kind: str) -> Callable[[Stream], Pool]:
    def read(stream: Stream) -> Pool:
        height, width, stride_y, stride_x, pad_y, pad_x = (stream.integer() for _ in range(6))
        return Pool(kind, (height, width), (stride_y, stride_x), (pad_y, pad_x))

    return read


def _dense(stream: Stream) -> Dense:
    stream.integer(), stream.integer()
    values = stream.tensor().reshape(-1)
    weights, rest = _split(stream, values)
    _split(stream, rest)
    if stream.integer() != 1:
        stream.refuse("dense layer with a bias")
    _multipliers(stream)
    return Dense(weights.reshape(weights.shape[0], -1))


def _split(stream: Stream, values: Floats) -> tuple[Floats, Floats]:
    """The part of `values` that the shape which follows in the file describes, and the rest."""
    stream.expect(1)
    shape = stream.shape()
    count = math.prod(shape)
    if min(shape) < 0 or count > values.size:
        stream.refuse("weights of odd shape")
    return values[:count].reshape(shape), values[count:]


def _multipliers(stream: Stream) -> None:
    for _ in range(4):
        stream.number()  # learning rates and weight decays


_READERS: dict[str, Callable[[Stream], Layer]] = {
    "con_4": _conv,
    "affine_": _affine,
    "bn_con2": _batch_norm,
    "relu_": lambda _: Relu(),
    "max_pool_2": _pool("max"),
    "avg_pool_2": _pool("avg"),
    "fc_2": _dense,
    "add_prev_": lambda _: Add(),
}
