"""Made-up networks that int8 finds hard, as those of faces are: channels a hundred times as loud as others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from faceedge.quantize.network import Network
from faceedge.quantize.observe import open_session
from faceedge.types import Floats

SIDE = 16
WIDTH = 8
Constants = dict[str, NDArray[Any]]


def images(count: int = 32, seed: int = 1) -> Floats:
    """float32 (count, 3, 16, 16), smooth as photos are."""
    rough = np.random.default_rng(seed).normal(size=(count, 3, SIDE + 4, SIDE + 4))
    smooth = sum(rough[:, :, y : y + SIDE, x : x + SIDE] for y in range(5) for x in range(5)) / 5
    return np.asarray(smooth, np.float32)


def batches(count: int = 32, size: int = 8, seed: int = 1) -> Callable[[], Iterator[Floats]]:
    whole = images(count, seed)
    return lambda: (whole[at : at + size] for at in range(0, count, size))


def model(nodes: Sequence[Any], constants: Constants, output: str = "y", opset: int = 17) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "made up",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    made = onnx.shape_inference.infer_shapes(made)
    onnx.checker.check_model(made)
    return made


def network(nodes: Sequence[Any], constants: Constants, output: str = "y") -> Network:
    return Network(model(nodes, constants, output))


def outputs(made: onnx.ModelProto, rows: Floats) -> Floats:
    session = open_session(made)
    return np.asarray(session.run(None, {"x": rows})[0])


def numbers(*shape: int, seed: int = 0) -> Floats:
    fan = max(1, int(np.prod(shape[1:])))
    return (np.random.default_rng(seed).normal(size=shape) / np.sqrt(fan)).astype(np.float32)


def loud(count: int, most: float = 100.0, seed: int = 5) -> Floats:
    """One factor a channel, from 1 to `most`, in no order."""
    factors = np.geomspace(1, most, count)
    np.random.default_rng(seed).shuffle(factors)
    return factors.astype(np.float32)


def conv(taken: str, given: str, weights: str, *, bias: str = "", **attributes: Any) -> Any:
    """A convolution named after what it gives; 3x3 and padded unless told."""
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]} | attributes
    return helper.make_node("Conv", [taken, weights, *([bias] if bias else [])], [given], name=given, **attributes)


def point(taken: str, given: str, weights: str, bias: str = "") -> Any:
    """A 1x1 convolution."""
    return conv(taken, given, weights, bias=bias, kernel_shape=[1, 1], pads=[0, 0, 0, 0])


def node(kind: str, taken: Sequence[str], given: str, **attributes: Any) -> Any:
    return helper.make_node(kind, list(taken), [given], name=given, **attributes)


def uneven(seed: int = 3) -> Constants:
    """Weights of a stem, a depthwise and a point convolution; the stem's channels differ a hundredfold in loudness,
    and the depthwise convolution makes up for it."""
    factors = loud(WIDTH, seed=seed).reshape(-1, 1, 1, 1)
    return {
        "w1": numbers(WIDTH, 3, 3, 3, seed=seed) * factors, "b1": numbers(WIDTH, seed=seed + 1) * factors.ravel(),
        "w2": numbers(WIDTH, 1, 3, 3, seed=seed + 2) / factors, "b2": numbers(WIDTH, seed=seed + 3),
        "w3": numbers(WIDTH, WIDTH, 1, 1, seed=seed + 4), "b3": numbers(WIDTH, seed=seed + 5),
        "slopes": np.abs(numbers(WIDTH, 1, 1, seed=seed + 6)), "zero": np.array(0, np.float32),
        "ceiling": np.array(300, np.float32),
    }  # fmt: skip


def chain(activation: str = "Relu", seed: int = 3) -> Network:
    """Convolution, activation, depthwise convolution, activation, 1x1 convolution."""
    extra = {"Relu": [], "PRelu": ["slopes"], "Clip": ["zero", "ceiling"]}[activation]
    nodes = [
        conv("x", "stem", "w1", bias="b1"),
        node(activation, ["stem", *extra], "a1"),
        conv("a1", "depth", "w2", bias="b2", group=WIDTH),
        node(activation, ["depth", *extra], "a2"),
        point("a2", "y", "w3", "b3"),
    ]
    return network(nodes, uneven(seed))


def residual() -> Network:
    """Two branches that are added, a pool, a concatenation and a dense layer behind them."""
    constants = uneven() | {
        "w4": numbers(WIDTH, WIDTH, 3, 3, seed=20) / 10,
        "dense": numbers(2 * WIDTH * 64, 12, seed=21),
    }
    constants |= {"w5": numbers(2 * WIDTH, 1, 3, 3, seed=22)}
    nodes = [
        conv("x", "stem", "w1", bias="b1"),
        node("Relu", ["stem"], "a1"),
        conv("a1", "branch", "w4"),
        node("Add", ["a1", "branch"], "sum"),
        node("MaxPool", ["sum"], "small", kernel_shape=[2, 2], strides=[2, 2]),
        conv("small", "depth", "w2", bias="b2", group=WIDTH),
        node("Concat", ["small", "depth"], "both", axis=1),
        conv("both", "mixed", "w5", group=2 * WIDTH),
        node("Flatten", ["mixed"], "flat", axis=1),
        node("MatMul", ["flat", "dense"], "y"),
    ]
    return network(nodes, constants)


def transformer() -> Network:
    """Patches, layer norm, dense, GELU, dense, added to the patches, and a depthwise convolution behind: EdgeFace's
    block in small."""
    wide = 4 * WIDTH
    constants: Constants = {
        "w0": numbers(WIDTH, 3, 4, 4, seed=1), "gain": loud(WIDTH, 30), "shift": numbers(WIDTH, seed=2),
        "up": numbers(WIDTH, wide, seed=3) / loud(WIDTH, 30)[:, None], "b1": numbers(wide, seed=4),
        "down": numbers(wide, WIDTH, seed=5), "b2": numbers(WIDTH, seed=6) * 0.1, "root": np.array(2**0.5, np.float32),
        "one": np.array(1, np.float32), "half": np.array(0.5, np.float32),
        "w2": numbers(WIDTH, 1, 3, 3, seed=7) / loud(WIDTH).reshape(-1, 1, 1, 1), "g2": loud(WIDTH),
        "s2": numbers(WIDTH, seed=8),
    }  # fmt: skip
    nodes = [
        conv("x", "patches", "w0", kernel_shape=[4, 4], strides=[4, 4], pads=[0, 0, 0, 0]),
        node("Transpose", ["patches"], "rows", perm=[0, 2, 3, 1]),
        node("LayerNormalization", ["rows", "gain", "shift"], "normed", axis=-1),
        node("MatMul", ["normed", "up"], "wide"),
        node("Add", ["b1", "wide"], "biased"),
        node("Div", ["biased", "root"], "scaled"),
        node("Erf", ["scaled"], "erf"),
        node("Add", ["erf", "one"], "raised"),
        node("Mul", ["biased", "raised"], "twice"),
        node("Mul", ["twice", "half"], "gelu"),
        node("MatMul", ["gelu", "down"], "narrow"),
        node("Add", ["narrow", "b2"], "mlp"),
        node("Add", ["rows", "mlp"], "sum"),
        node("LayerNormalization", ["sum", "g2", "s2"], "last", axis=-1),
        node("Sigmoid", ["last"], "gate"),
        node("Mul", ["last", "gate"], "swish"),
        node("Transpose", ["swish"], "back", perm=[0, 3, 1, 2]),
        conv("back", "y", "w2", group=WIDTH),
    ]
    return network(nodes, constants)


def cosine(one: Floats, other: Floats) -> float:
    """The least over the images."""
    a, b = (array.reshape(len(array), -1).astype(np.float64) for array in (one, other))
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
