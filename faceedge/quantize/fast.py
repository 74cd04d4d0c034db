"""An INT8 graph in the form that ONNX Runtime computes in INT8 on a CPU: Q/DQ in, QLinearConv out.

TensorRT wants the outputs of convolutions in float, and ONNX Runtime then computes them in float, slower than without
INT8. Here they are rounded too, to the range that the calibration images cause, and rectified by that range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from faceedge.files import write_whole
from faceedge.models.prelu import rewritten
from faceedge.quantize.observe import observed
from faceedge.quantize.scales import FLOOR, LEVELS
from faceedge.types import Floats

MIDDLE, TOP = 128, 255
"""uint8 that stands for int8's 0, and the largest: ONNX Runtime is fast with unsigned activations."""


def write_fast(build: Path, target: Path, images: Iterable[Floats]) -> int:
    """Writes the fast form of a Q/DQ graph; returns how many convolutions it has, and writes nothing for none.

    images: float32 (n, 3, h, w), from which the ranges of outputs are taken. Raises EngineError when the graph fails.
    """
    form = _Form(onnx.load(build))
    if not form.rounded:
        return 0
    form.rewrite(_ranges(form, images))
    found = rewritten(form.model)  # PReLU, which ONNX Runtime computes slowly
    write_whole(target, (found[0] if found else form.model).SerializeToString())
    return len(form.rounded)


@dataclass(frozen=True, slots=True)
class _Rounded:
    """A convolution on rounded data and weights. data: the float tensor. output: after its Relu, where that is all that
    takes it. step: of what takes the output, where that is rounding by one step only."""

    node: onnx.NodeProto
    data: str
    step_name: str
    weight: str
    weight_steps: str
    output: str
    is_rectified: bool
    next_step: str


class _Form:
    """A model and its convolutions."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._maker = {name: node for node in model.graph.node for name in node.output}
        self._outputs = {value.name for value in model.graph.output}
        self._takers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._takers.setdefault(name, []).append(node)
        found = (self._rounded(node) for node in model.graph.node if node.op_type == "Conv")
        self.rounded = [one for one in found if one is not None]

    def rewrite(self, ranges: dict[str, tuple[float, float]]) -> None:
        """ranges: lowest and highest value of the convolutions' outputs."""
        self._put("fast/middle", np.array(MIDDLE, np.uint8))
        self._put("fast/zero", np.array(0, np.uint8))
        by_node = {one.node.name: one for one in self.rounded}
        rounded: dict[tuple[str, str], tuple[str, str, str]] = {}
        nodes: list[onnx.NodeProto] = []
        for node in self.model.graph.node:
            one = by_node.get(node.name)
            nodes += [node] if one is None else self._nodes(one, ranges[one.output], rounded)
        made = {name for one in self.rounded if one.is_rectified for name in [one.output]}
        self._keep([node for node in nodes if not (node.op_type == "Relu" and node.output[0] in made)])

    def _nodes(
        self, one: _Rounded, reach: tuple[float, float], rounded: dict[tuple[str, str], tuple[str, str, str]]
    ) -> list[onnx.NodeProto]:
        """What takes the place of one convolution. rounded: tensors there are already, with step and zero point."""
        name, nodes, key = one.node.name, [], (one.data, one.step_name)
        if key not in rounded:
            rounded[key] = f"{one.data}/u8/{one.step_name}", one.step_name, "fast/middle"
            nodes.append(helper.make_node("QuantizeLinear", [one.data, *rounded[key][1:]], [rounded[key][0]]))
        data, step, zero = rounded[key]
        weights, steps = self._value(one.weight), self._value(one.weight_steps).reshape(-1)
        whole = np.clip(np.rint(weights / steps.reshape(-1, *[1] * (weights.ndim - 1))), -LEVELS, LEVELS)
        self._put(f"{name}/i8", whole.astype(np.int8))
        self._put(f"{name}/zeros", np.zeros(len(steps), np.int8))
        self._put(f"{name}/steps", steps.astype(np.float32))
        out_step, out_zero = self._grid(one, reach)
        inputs = [data, step, zero, f"{name}/i8", f"{name}/steps", f"{name}/zeros", out_step, out_zero]
        if len(one.node.input) > 2 and one.node.input[2]:
            unit = float(self._value(step)) * steps.astype(np.float64)
            bias = np.clip(np.rint(self._value(one.node.input[2]) / unit), -(2**31) + 1, 2**31 - 1)
            self._put(f"{name}/bias32", bias.astype(np.int32))
            inputs.append(f"{name}/bias32")
        made = helper.make_node("QLinearConv", inputs, [f"{one.output}/u8"], name=name)
        made.attribute.extend(one.node.attribute)
        nodes += [made, helper.make_node("DequantizeLinear", [f"{one.output}/u8", out_step, out_zero], [one.output])]
        if one.next_step:
            rounded[one.output, one.next_step] = f"{one.output}/u8", out_step, out_zero
        return nodes

    def _grid(self, one: _Rounded, reach: tuple[float, float]) -> tuple[str, str]:
        """Names of step and zero point of an output."""
        step_name, zero_name = f"{one.node.name}/step", f"{one.node.name}/zero"
        low, high = min(0.0, reach[0]), max(0.0, reach[1])
        if one.is_rectified:
            low = 0.0
            high = LEVELS * float(self._value(one.next_step)) if one.next_step else high
        step = max((high - low) / TOP, FLOOR)
        self._put(step_name, np.array(step, np.float32))
        self._put(zero_name, np.array(round(-low / step), np.uint8))
        return step_name, zero_name

    def _rounded(self, node: onnx.NodeProto) -> _Rounded | None:
        data, weight = (self._before(name) for name in node.input[:2])
        if data is None or weight is None or data.input[0] in self._constants or weight.input[0] not in self._constants:
            return None
        if len(node.input) > 2 and node.input[2] and node.input[2] not in self._constants:
            return None
        output, takers = node.output[0], self._takers.get(node.output[0], [])
        is_rectified = len(takers) == 1 and takers[0].op_type == "Relu" and output not in self._outputs
        if is_rectified:
            output = takers[0].output[0]
        after = self._takers.get(output, [])
        steps = {taker.input[1] for taker in after if taker.op_type == "QuantizeLinear"}
        values = {float(self._value(name)) for name in steps}
        alone = is_rectified and len(values) == 1 and output not in self._outputs and len(steps) == 1
        return _Rounded(
            node, data.input[0], data.input[1], weight.input[0], weight.input[1], output, is_rectified,
            next(iter(steps)) if alone and all(one.op_type == "QuantizeLinear" for one in after) else "",
        )  # fmt: skip

    def _before(self, name: str) -> onnx.NodeProto | None:
        """The QuantizeLinear of a Q/DQ pair that makes a tensor."""
        after = self._maker.get(name)
        if after is None or after.op_type != "DequantizeLinear":
            return None
        before = self._maker.get(after.input[0])
        return before if before is not None and before.op_type == "QuantizeLinear" else None

    def _value(self, name: str) -> NDArray[Any]:
        return np.asarray(numpy_helper.to_array(self._constants[name]))

    def _put(self, name: str, value: NDArray[Any]) -> None:
        self._constants[name] = numpy_helper.from_array(value, name)

    def _keep(self, nodes: list[onnx.NodeProto]) -> None:
        """The nodes and constants that the outputs need, in order."""
        needed, kept = set(self._outputs), []
        for node in reversed(nodes):
            if needed.intersection(node.output):
                kept.append(node)
                needed.update(node.input)
        graph = self.model.graph
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(reversed(kept))
        graph.initializer.extend(tensor for name, tensor in self._constants.items() if name in needed)


def _ranges(form: _Form, images: Iterable[Floats]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each output that has no step of its own."""
    names = [one.output for one in form.rounded]
    found = dict.fromkeys(names, (0.0, 0.0))
    for tensors in observed(form.model, names, images):
        for name in names:
            low, high = found[name]
            found[name] = min(low, float(tensors[name].min())), max(high, float(tensors[name].max()))
    return found
