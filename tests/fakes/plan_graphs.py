"""Networks that are quick to build: with a free batch, and with Q/DQ around their convolution."""

from __future__ import annotations

import numpy as np
from onnx import helper

from tests.fakes.graphs import model, numbers

node = helper.make_node
SHAPES = {"x": ((1, 3, 8, 8), (2, 3, 8, 8), (4, 3, 8, 8))}
WEIGHTS = {"w": numbers(4, 3, 3, 3, seed=1)}


def plain() -> bytes:
    """`x` [n, 3, 8, 8] to `y` [n, 4, 6, 6]."""
    made = model([node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])], WEIGHTS, shape=("n", 3, 8, 8))
    return bytes(made.SerializeToString())


def quantised(zero_point: int = 0) -> bytes:
    """The same with scales for the input and the weights."""
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]), node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("QuantizeLinear", ["w", "s", "zero"], ["wq"]), node("DequantizeLinear", ["wq", "s", "zero"], ["wd"]),
        node("Conv", ["xd", "wd"], ["c"]), node("Relu", ["c"], ["y"]),
    ]  # fmt: skip
    scales = {"s": np.float32(0.05), "z": np.int8(zero_point), "zero": np.int8(0)}
    constants = WEIGHTS | {name: np.array(value) for name, value in scales.items()}
    return bytes(model(nodes, constants, shape=("n", 3, 8, 8)).SerializeToString())


def of_strangers() -> bytes:
    """With a node that no TensorRT knows."""
    made = model([node("Conv", ["x", "w"], ["c"]), node("Enchant", ["c"], ["y"], domain="com.example")], WEIGHTS)
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    return bytes(made.SerializeToString())
