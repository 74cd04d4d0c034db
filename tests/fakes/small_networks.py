"""Networks of a few kilobytes with the inputs and outputs of real families, for the model store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CROP_PX = 112
STRIDES = (8, 16, 32)


def crop_network(
    path: Path,
    outputs: Mapping[str, int],
    *,
    side: int = CROP_PX,
    notes: Mapping[str, str] | None = None,
    seed: int = 1,
) -> Path:
    """float32 `input` [n, 3, side, side] to each output [n, its number of columns]."""
    rng = np.random.default_rng(seed)
    weights = {"w": rng.normal(size=(4, 3, 8, 8)).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["c"], strides=[16, 16]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
    ]
    for name, columns in outputs.items():
        weights[f"{name}_w"] = rng.normal(size=(4 * 7 * 7, columns)).astype(np.float32) / 100
        nodes.append(helper.make_node("MatMul", ["f", f"{name}_w"], [name]))
    shapes = {name: ("n", columns) for name, columns in outputs.items()}
    return _saved(path, nodes, weights, ("n", 3, side, side), shapes, notes or {})


def yunet_network(path: Path) -> Path:
    """float32 `input` [n, 3, h, w] to the twelve outputs of YuNet."""
    rng = np.random.default_rng(2)
    nodes: list[Any] = []
    weights: dict[str, Any] = {}
    shapes: dict[str, Sequence[str | int]] = {}
    for stride in STRIDES:
        nodes.append(
            helper.make_node(
                "AveragePool", ["input"], [f"p{stride}"], kernel_shape=[stride, stride], strides=[stride, stride]
            )
        )
        for head, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            name = f"{head}_{stride}"
            weights[f"{name}_w"] = rng.normal(size=(columns, 3, 1, 1)).astype(np.float32) / 100
            last = f"{name}_s" if columns == 1 else f"{name}_c"
            nodes.append(helper.make_node("Conv", [f"p{stride}", f"{name}_w"], [f"{name}_c"]))
            if columns == 1:
                nodes.append(helper.make_node("Sigmoid", [f"{name}_c"], [last]))
            nodes.append(helper.make_node("Transpose", [last], [f"{name}_t"], perm=[0, 2, 3, 1]))
            weights[f"{name}_k"] = np.array([0, -1, columns], np.int64)
            nodes.append(helper.make_node("Reshape", [f"{name}_t", f"{name}_k"], [name]))
            shapes[name] = ("n", f"cells_{stride}", columns)
    return _saved(path, nodes, weights, ("n", 3, "h", "w"), shapes, {})


def _saved(
    path: Path, nodes: Sequence[Any], weights: Mapping[str, Any], shape: Sequence[str | int],
    outputs: Mapping[str, Sequence[str | int]], notes: Mapping[str, str],
) -> Path:  # fmt: skip
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(sizes)) for name, sizes in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, dict(notes))
    onnx.save(model, path)
    return path
