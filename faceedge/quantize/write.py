"""Writes explicit Q/DQ ONNX by ONNX Runtime's quantiser: the form that TensorRT 8.6 to 11 takes.

In: a float network and its scales. Out: a model with a pair of QuantizeLinear and DequantizeLinear at the inputs and
weights of each quantised node; zero points 0, biases plain, everything else as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from faceedge.quantize.network import WEIGHTED, Network
from faceedge.types import Floats

_OPTIONS = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "AddQDQPairToWeight": True,
    "QuantizeBias": False,
    "DedicatedQDQPair": True,
    "QDQDisableWeightAdjustForInt32Bias": True,
    "OpTypesToExcludeOutputQuantization": list(WEIGHTED),
}


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """activations: by name of the tensor. weights: by name of the node, one scale an output channel."""

    activations: Mapping[str, float]
    weights: Mapping[str, Floats]


def write_qdq(network: Network, scales: Scales, quantised: Collection[str]) -> onnx.ModelProto:
    """The Q/DQ form of a network in which the nodes named in `quantised` run in int8; `network` stays as it is."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    own = network.copy()
    for node in own.nodes:
        if node.name in quantised:
            own.own(node, 1)
    nodes = [node for node in own.weighted() if node.name in quantised]
    overrides = {node.weight: _fixed(scales.weights[node.name], node.axis) for node in nodes}
    limits = {node.data: np.float32(127 * scales.activations[node.data]) for node in nodes}
    overrides |= {name: _fixed([scales.activations[name]]) for name in limits}
    reach = {name: TensorData(lowest=-limit, highest=limit) for name, limit in limits.items()}
    writer = QDQQuantizer(
        own.model, True, False, QuantType.QInt8, QuantType.QInt8, TensorsData(CalibrationMethod.MinMax, reach),
        [node.name for node in nodes], [], list(WEIGHTED), {**_OPTIONS, "TensorQuantOverrides": overrides},
    )  # fmt: skip
    return _cleaned(writer.quantize_model(), quantised)


def _fixed(scales: Sequence[float] | Floats, axis: int | None = None) -> list[dict[str, Any]]:
    """What the quantiser must use; zero points are 0."""
    place = {} if axis is None else {"axis": axis}
    return [{"scale": np.array(scale, np.float32), "zero_point": np.array(0, np.int8), **place} for scale in scales]


def _cleaned(model: onnx.ModelProto, quantised: Collection[str]) -> onnx.ModelProto:
    """Float nodes take the tensor itself, not its rounded copy made for a neighbour; unused opsets go."""
    rounded = _rounded(model)
    for node in model.graph.node:
        if node.name not in quantised:
            for index, name in enumerate(node.input):
                node.input[index] = rounded.get(name, name)
    _sort(model)
    for index in reversed(range(len(model.opset_import))):
        if model.opset_import[index].domain not in ("", "ai.onnx"):
            del model.opset_import[index]
    return model


def _rounded(model: onnx.ModelProto) -> dict[str, str]:
    """What each DequantizeLinear of an activation gives -> the tensor that its QuantizeLinear takes."""
    constants = {tensor.name for tensor in model.graph.initializer}
    quantised = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    return {
        node.output[0]: quantised[node.input[0]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and quantised.get(node.input[0], "") not in constants | {""}
    }


def _sort(model: onnx.ModelProto) -> None:
    """Every node after those that make what it takes; the quantiser leaves its own at the end."""
    makers = {name: node for node in model.graph.node for name in node.output}
    done: set[str] = set()
    ordered: list[onnx.NodeProto] = []
    for root in model.graph.node:
        waiting = [root]
        while waiting:
            node = waiting[-1]
            before = [makers[name] for name in node.input if name in makers and makers[name].output[0] not in done]
            waiting.extend(before)
            if not before:
                waiting.pop()
                if node.output[0] not in done:
                    done.add(node.output[0])
                    ordered.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del model.graph.node[:]
    model.graph.node.extend(copies)
