"""What TensorRT 8.6 to 11 demands of a Q/DQ graph, checked strictly by ourselves before a device sees the file.

In: an ONNX model. Out: its faults, in words. The rules are those of NVIDIA's `IQuantizeLayer` (symmetric, one scale a
tensor of activations, one scale an output channel of constant weights, scales constant at build time), of its
placement advice (all inputs of a node with weights, not its output, not its bias), and of explicit precision: a graph
that holds operators of another runtime's quantiser does not parse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from faceedge.quantize.network import MIN_OPSET, WEIGHTED, output_axis
from faceedge.quantize.scales import LEVELS

FOREIGN = ("QLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "FusedConv", "FusedMatMul", "QGemm")
FITTING = (0.95, 2.1)
"""The largest weight of a channel lies this many times 127 steps from 0: more would be cut off, less is another's."""


def faults(model: onnx.ModelProto) -> list[str]:
    """All faults, in the order of the nodes; none: the graph obeys the rules."""
    graph = _Graph(model)
    if broken := _broken(model):
        return [broken]
    found = [*_of_model(model), *graph.of_outputs()]
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            found += graph.of_quantise(node)
        elif node.op_type == "DequantizeLinear":
            found += graph.of_dequantise(node)
        elif node.op_type in WEIGHTED:
            found += graph.of_weighted(node)
    if not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        found.append("the graph quantises nothing")
    return found


def _broken(model: onnx.ModelProto) -> str:
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        return f"the graph is no valid ONNX: {str(error).strip().splitlines()[0][:200]}"
    return ""


def _of_model(model: onnx.ModelProto) -> Iterator[str]:
    for entry in model.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            yield f"imports the operators of {entry.domain}"
        elif entry.version < MIN_OPSET:
            yield f"opset {entry.version} has no scales a channel, {MIN_OPSET} has"
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type.startswith(FOREIGN):
            yield f"{node.name or node.op_type}: {node.op_type} belongs to another runtime"


class _Graph:
    """The model with its constants and edges at hand."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._readers: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                self._readers.setdefault(name, []).append((node, index))
        self._outputs = {value.name for value in model.graph.output}

    def of_outputs(self) -> Iterator[str]:
        for name in sorted(self._outputs):
            maker = self._makers.get(name)
            if maker is not None and maker.op_type in ("QuantizeLinear", "DequantizeLinear"):
                yield f"{name}: an output of the graph is rounded"

    def of_quantise(self, node: onnx.NodeProto) -> Iterator[str]:
        yield from self._of_scale(node)
        readers = self._readers.get(node.output[0], [])
        if not readers or any(reader.op_type != "DequantizeLinear" for reader, _ in readers):
            yield f"{node.name}: what it gives must go to a DequantizeLinear and nowhere else"
        weights = self._constants.get(node.input[0])
        if weights is None and self._value(node.input[1]) is not None and self._array(node.input[1]).size != 1:
            yield f"{node.name}: an activation has one scale, this one {self._array(node.input[1]).size}"

    def of_dequantise(self, node: onnx.NodeProto) -> Iterator[str]:
        yield from self._of_scale(node)
        maker = self._makers.get(node.input[0])
        if maker is None or maker.op_type != "QuantizeLinear":
            yield f"{node.name}: it must take what a QuantizeLinear gives"
        elif not self._are_paired(maker, node):
            yield f"{node.name}: its scale, zero point or axis is not that of {maker.name}"
        for reader, index in self._readers.get(node.output[0], []):
            if reader.op_type not in WEIGHTED:
                yield f"{node.name}: {reader.name or reader.op_type} takes rounded values but has no weights"
            elif index == 2:
                yield f"{node.name}: the bias of {reader.name} is rounded"

    def of_weighted(self, node: onnx.NodeProto) -> Iterator[str]:
        pairs = [self._pair(name) for name in node.input[:2]]
        if pairs[0] is None and pairs[1] is None:
            return
        for pair, what in zip(pairs, ("activation", "weights"), strict=True):
            if pair is None:
                yield f"{node.name}: its {what} must be rounded, too"
        if pairs[0] is not None and pairs[0].input[0] in self._constants:
            yield f"{node.name}: its activation is a constant"
        if pairs[1] is not None:
            yield from self._of_weights(node, pairs[1])

    def _of_weights(self, node: onnx.NodeProto, pair: onnx.NodeProto) -> Iterator[str]:
        tensor = self._constants.get(pair.input[0])
        if tensor is None:
            yield f"{node.name}: its weights are no constant"
            return
        weights, scale = onnx.numpy_helper.to_array(tensor), self._value(pair.input[1])
        axis = output_axis(node, weights.ndim)
        if scale is None:
            return
        if scale.shape != (weights.shape[axis],):
            yield f"{node.name}: {weights.shape[axis]} output channels, but scales of shape {scale.shape}"
        elif _axis(pair) % weights.ndim != axis:
            yield f"{node.name}: the scales of its weights lie on axis {_axis(pair)}, its output channels on {axis}"
        elif not np.isfinite(weights).all():
            yield f"{node.name}: its weights are not all finite numbers"
        else:
            yield from _of_fit(node, weights, scale, axis)

    def _of_scale(self, node: onnx.NodeProto) -> Iterator[str]:
        scale, zero = self._value(node.input[1]), self._value(node.input[2]) if len(node.input) > 2 else None
        if scale is None:
            yield f"{node.name}: its scale is no constant"
        elif scale.dtype not in (np.float32, np.float16) or not np.isfinite(scale).all() or not (scale > 0).all():
            yield f"{node.name}: its scale is not a positive, finite number"
        if zero is None:
            yield f"{node.name}: its zero point must be a constant of int8"
        elif zero.dtype != np.int8:
            yield f"{node.name}: it rounds to {zero.dtype}, not to int8"
        elif zero.any():
            yield f"{node.name}: its zero point is not 0, but TensorRT's int8 is symmetric"

    def _are_paired(self, one: onnx.NodeProto, other: onnx.NodeProto) -> bool:
        same = all(
            np.array_equal(self._array(a), self._array(b)) for a, b in zip(one.input[1:], other.input[1:], strict=False)
        )
        return same and (self._array(one.input[1]).size == 1 or _axis(one) == _axis(other))

    def _pair(self, name: str) -> onnx.NodeProto | None:
        """The QuantizeLinear before the DequantizeLinear that makes a tensor."""
        maker = self._makers.get(name)
        if maker is None or maker.op_type != "DequantizeLinear":
            return None
        before = self._makers.get(maker.input[0])
        return before if before is not None and before.op_type == "QuantizeLinear" else maker

    def _value(self, name: str) -> NDArray[Any] | None:
        tensor = self._constants.get(name)
        return None if tensor is None else np.asarray(onnx.numpy_helper.to_array(tensor))

    def _array(self, name: str) -> NDArray[Any]:
        value = self._value(name)
        return np.zeros(0) if value is None else value


def _axis(node: onnx.NodeProto) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "axis"), 1)


def _of_fit(node: onnx.NodeProto, weights: NDArray[Any], scale: NDArray[Any], axis: int) -> Iterator[str]:
    others = tuple(index for index in range(weights.ndim) if index != axis)
    peaks = np.abs(weights).max(axis=others)
    fit = peaks / (scale * LEVELS)
    bad = (peaks > 1e-5 * max(float(peaks.max()), 1e-30)) & ((fit < FITTING[0]) | (fit > FITTING[1]))
    if bad.any():
        yield f"{node.name}: the scales of {int(bad.sum())} of its output channels do not fit their weights"
