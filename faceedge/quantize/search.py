"""Finds the steps of activations by what matters: the error that they make in the outputs of the nodes that take them.

In: a network, the ranges of its activations and some images. Out: one scale a tensor. Each candidate rounds the float
activation; the node computes with it and with its rounded weights. Error power counts squared, position by position:
a photo is mostly background, and a step that serves it best cuts off what a face makes (on SCRFD, errors averaged over
the photo cost five faces in five hundred).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from faceedge.quantize.collect import channel_axis
from faceedge.quantize.network import Network, Weighted
from faceedge.quantize.observe import observed, open_session
from faceedge.quantize.ranges import Doubles, Ranges
from faceedge.quantize.scales import FLOOR, LEVELS, rounded
from faceedge.types import Floats

SHARES = np.geomspace(1.0, 0.2, 14)
"""Of the largest magnitude seen, which a candidate's range reaches."""


def searched_scales(
    network: Network, ranges: Ranges, weights: Mapping[str, Floats], batches: Iterable[Floats]
) -> dict[str, float]:
    """The scale of each tensor that a node named in `weights` takes; weights: these nodes' weight scales."""
    nodes = [node for node in network.weighted() if node.name in weights]
    trials = [_Trial(network, node, weights[node.name]) for node in nodes]
    steps = {node.data: np.maximum(ranges[node.data].peak.max() / LEVELS * SHARES, FLOOR) for node in nodes}
    errors: dict[str, Doubles] = {name: np.zeros(len(SHARES)) for name in steps}
    for tensors in observed(network.model, list(steps), batches):
        for trial in trials:
            data = trial.node.data
            errors[data] += [trial.error(tensors[data], step) for step in steps[data]]
    return {name: float(steps[name][int(np.argmin(error))]) for name, error in errors.items()}


class _Trial:
    """One node, in float and in int8 side by side, with the step of its activation as an input."""

    def __init__(self, network: Network, node: Weighted, scales: Floats) -> None:
        self.node = node
        weights = network.value(node.weight)
        self._session = open_session(_model(network.node(node.name), weights, rounded(weights, scales, node.axis)))

    def error(self, values: NDArray[Any], step: float) -> float:
        """Sum over the images of the mean squared error power of a position, over the image's mean power squared."""
        error, power = self._session.run(None, {"x": values, "step": np.array(step, np.float32)})
        return float(((error**2).mean(axis=1) / np.maximum(power.mean(axis=1), 1e-20) ** 2).sum())


def _model(node: onnx.NodeProto, weights: Floats, coarse: Floats) -> onnx.ModelProto:
    """x, step -> per image and position: power of the error in the output, and of the output, both without bias."""
    exact, trial = onnx.NodeProto(), onnx.NodeProto()
    for copy, inputs, output in ((exact, ("x", "exact"), "y"), (trial, ("near", "coarse"), "y8")):
        copy.CopyFrom(node)
        copy.input[:], copy.output[:], copy.name = inputs, [output], output
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "step", "zero"], ["near"]),
        exact,
        trial,
        helper.make_node("Sub", ["y8", "y"], ["difference"]),
    ]
    for source, target in (("difference", "error"), ("y", "power")):
        axis = channel_axis(node.op_type)
        nodes.append(helper.make_node("ReduceSumSquare", [source], [f"{target} map"], axes=[axis], keepdims=1))
        nodes.append(helper.make_node("Flatten", [f"{target} map"], [target]))
    constants = {"exact": weights, "coarse": coarse, "zero": np.zeros((), np.int8)}
    graph = helper.make_graph(
        nodes,
        "trial",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", None), ("step", []))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("error", "power")],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
