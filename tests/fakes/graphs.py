"""Small made-up networks for photos, and graphs that try to hurt their reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceedge.models import foreign, selftest
from faceedge.models.optimise import as_bytes
from faceedge.models.running import Network

Shape = Sequence[int | str]
SIDE_PX = 32
CHANNELS = 8
DIMENSION = 16
FLOAT = TensorProto.FLOAT


def model(
    nodes: Sequence[Any],
    constants: dict[str, NDArray[Any]] | None = None,
    *,
    shape: Shape = ("n", 3, SIDE_PX, SIDE_PX),
    outputs: dict[str, Shape] | None = None,
    opset: int = 17,
    dtype: int = FLOAT,
) -> Any:
    """An onnx.ModelProto with the input `x`; outputs: by default `y` of any shape of four sizes."""
    graph = helper.make_graph(
        list(nodes),
        "made up",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [value(name, sizes) for name, sizes in (outputs or {"y": "abcd"}).items()],
        [numpy_helper.from_array(values, name) for name, values in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def value(name: str, shape: Shape = "abcd") -> Any:
    """What an input or output is called and looks like."""
    return helper.make_tensor_value_info(name, FLOAT, shape)


def cleaned(made: Any) -> Any:
    """As it is worked on."""
    return foreign.parse(made.SerializeToString())


def apart(one: Any, two: Any) -> float:
    """Deviation of `two`, as the engine runs it, from `one`, as it is written, on pictures of 32x32 px."""
    pictures = [selftest.tensor(image) for image in selftest.others(selftest.picture(SIDE_PX, SIDE_PX))]
    source, other = Network(as_bytes(one), as_written=True), Network(as_bytes(two))
    return max(selftest.deviation_of_all(source.run_one(each), other.run_one(each)) for each in pictures)


def saved(made: Any, path: Path) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def numbers(*shape: int, seed: int = 0, scale: float = 0.3) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def recognizer(batch: int | str = "n", *, slopes: NDArray[np.float32] | None = None, reshape: int | None = None) -> Any:
    """Convolution, batch-norm, PReLU, convolution, pool, dense: `x` [n, 3, 32, 32] to `embedding` [n, 16].

    slopes: of the PReLU, (8, 1, 1) by default. reshape: first number of the shape that the pool is brought into.
    """
    slopes = numbers(CHANNELS, 1, 1, seed=1, scale=1.0) if slopes is None else slopes
    first = reshape if reshape is not None else (batch if isinstance(batch, int) else -1)
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c1", "gamma", "beta", "mean", "variance"], ["b1"], epsilon=1e-5),
        node("PRelu", ["b1", "slopes"], ["p1"]),
        node("Conv", ["p1", "w2"], ["c2"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c2"], ["r2"]),
        node("AveragePool", ["r2"], ["a2"], kernel_shape=[4, 4], strides=[4, 4]),
        node("Reshape", ["a2", "flat"], ["f2"]),
        node("Gemm", ["f2", "w3", "b3"], ["embedding"]),
    ]
    constants = {
        "w1": numbers(CHANNELS, 3, 3, 3, seed=2), "gamma": numbers(CHANNELS, seed=3) + 1,
        "beta": numbers(CHANNELS, seed=4), "mean": numbers(CHANNELS, seed=5),
        "variance": numbers(CHANNELS, seed=6) ** 2 + 1, "slopes": slopes,
        "w2": numbers(CHANNELS, CHANNELS, 3, 3, seed=7),
        "flat": np.array([first, CHANNELS * 16], np.int64),
        "w3": numbers(CHANNELS * 16, DIMENSION, seed=8), "b3": numbers(DIMENSION, seed=9),
    }  # fmt: skip
    return model(nodes, constants, shape=(batch, 3, SIDE_PX, SIDE_PX), outputs={"embedding": (batch, DIMENSION)})


def detector(batch: int | str = "n", sizes: bool = False) -> Any:
    """`x` [n, 3, h, w] (32x32 where the batch is fixed) to `score` [n, cells, 1]. sizes: its Resize names them."""
    node = helper.make_node
    free = isinstance(batch, str)
    resize = ["c2", "", "", "sizes"] if sizes else ["c2", "", "scales"]
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Conv", ["c1", "w2"], ["c2"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Resize", resize, ["up"], mode="nearest"),
        node("Add", ["c1", "up"], ["sum"]),
        node("Conv", ["sum", "w3"], ["c3"], kernel_shape=[1, 1]),
        node("Sigmoid", ["c3"], ["s"]),
        node("Transpose", ["s"], ["t"], perm=[0, 2, 3, 1]),
        node("Reshape", ["t", "flat"], ["score"]),
    ]
    constants = {
        "w1": numbers(CHANNELS, 3, 3, 3, seed=2), "w2": numbers(CHANNELS, CHANNELS, 3, 3, seed=3),
        "w3": numbers(1, CHANNELS, 1, 1, seed=4), "flat": np.array([0 if free else batch, -1, 1], np.int64),
    }  # fmt: skip
    if sizes:
        constants["sizes"] = np.array([batch, CHANNELS, 16, 16], np.int64)
    else:
        constants["scales"] = np.array([1, 1, 2, 2], np.float32)
    shape = ("n", 3, "h", "w") if free else (batch, 3, SIDE_PX, SIDE_PX)
    return model(nodes, constants, shape=shape, outputs={"score": (batch, "cells", 1)})
