"""Small graphs made on the spot, so that the contract holds without any assets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PICTURE = ["batch", 3, "height", "width"]


def made_up(folder: Path) -> Path:
    """picture [batch, 3, height, width] float32 and gain [batch, 1] float32 give scaled, like the picture passed
    through a 3x3 convolution and times gain, and total [batch, 1], its sum over everything."""
    weights = np.random.default_rng(7).normal(size=(3, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["picture", "weights"], ["seen"], pads=[1, 1, 1, 1]),
        helper.make_node("Unsqueeze", ["gain", "axes"], ["factor"]),
        helper.make_node("Mul", ["seen", "factor"], ["scaled"]),
        helper.make_node("ReduceSum", ["scaled", "summed"], ["sum"], keepdims=0),
        helper.make_node("Unsqueeze", ["sum", "last"], ["total"]),
    ]
    constants = {"weights": weights, "axes": np.array([2, 3]), "summed": np.array([1, 2, 3]), "last": np.array([1])}
    inputs = {"picture": PICTURE, "gain": ["batch", 1]}
    return save(folder / "made_up.onnx", nodes, inputs, {"scaled": PICTURE, "total": ["batch", 1]}, constants)


def brittle(folder: Path) -> Path:
    """x [batch, 3, height, width] plus a constant of 4x4: says that it takes every size, and fails on others."""
    nodes = [helper.make_node("Add", ["x", "constant"], ["y"])]
    constant = {"constant": np.ones((1, 3, 4, 4), np.float32)}
    return save(folder / "brittle.onnx", nodes, {"x": PICTURE}, {"y": PICTURE}, constant)


def no_network(folder: Path) -> Path:
    """A file of the right name with the wrong content."""
    path = folder / "garbage.onnx"
    path.write_bytes(bytes(range(256)) * 8)
    return path


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[str | int]],
    outputs: dict[str, list[str | int]],
    constants: dict[str, np.ndarray] | None = None,
    dtypes: dict[str, int] | None = None,
) -> Path:
    """A graph of these parts. dtypes: of inputs and outputs that are not float32."""

    def value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, (dtypes or {}).get(name, TensorProto.FLOAT), shape)

    graph = helper.make_graph(
        nodes, path.stem, [value(*item) for item in inputs.items()], [value(*item) for item in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
