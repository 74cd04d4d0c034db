"""A stranger's ONNX bytes in, a checked and cleaned graph out, or the reason why not. Runs in the child of `apart.py`.

Refused is what no network for photos needs: control flow, functions, other operators than ONNX's own, weights in
other files, anything random. Every PackageError is without the path: the parent puts it in front.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from faceedge.errors import PackageError, one_line
from faceedge.models.tensors import check_tensor

MIN_OPSET = 7
"""ONNX Runtime promises every opset from here on."""
MIN_IR = 3
MAX_NODES = 20_000
MAX_CONSTANTS = 20_000
MAX_OUTPUTS = 64
MAX_NAME = 200
MAX_SIDE_PX = 8192
OWN = ("", "ai.onnx")
"""Both name the operators of ONNX itself."""
RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
QUANTISED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
     "MatMulInteger"}
)  # fmt: skip


def parse(content: bytes) -> Any:
    """The graph as an onnx.ModelProto, checked, without what nobody runs: notes on nodes, shapes of inner tensors.

    Raises PackageError.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise PackageError("is not an ONNX file, or is damaged; fetch or export it again") from error
    _check_head(model)
    _check_parts(model.graph)
    _check_nodes(model.graph)
    for tensor in tensors(model.graph):
        check_tensor(tensor)
    clean(model)
    _check_picture(model.graph)
    _check_whole(model)
    return model


def opset_of(model: Any) -> int:
    """Version of ONNX's own operators."""
    return next(int(entry.version) for entry in model.opset_import if entry.domain in OWN)


def tensors(graph: Any) -> Iterator[Any]:
    """Every constant in the file."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def operators(model: Any) -> dict[str, int]:
    """How often each operator is used."""
    return dict(sorted(Counter(node.op_type for node in model.graph.node).items()))


def is_quantised(model: Any) -> bool:
    """Whether the graph rounds to integers."""
    return any(node.op_type in QUANTISED for node in model.graph.node)


def clean(model: Any) -> None:
    """Drops what no backend reads, and constants from the inputs: a caller cannot replace weights."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    kept = [value for value in graph.input if value.name not in constants]
    del graph.input[:]
    graph.input.extend(kept)
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("doc_string")
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.WhichOneof("value") == "dim_value" and size.dim_value <= 0:
                size.Clear()  # how some exporters write that a size is free
    model.ir_version = max(model.ir_version, 4)  # before 4 every constant had to be an input, too
    used = [entry for entry in model.opset_import if entry.domain in OWN]
    del model.opset_import[:]
    model.opset_import.extend(used)


def _check_head(model: Any) -> None:
    versions = [int(entry.version) for entry in model.opset_import if entry.domain in OWN]
    if not model.graph.node or not versions:
        raise PackageError("is not an ONNX network: it has no operators; fetch or export it again")
    if len(versions) > 1:
        raise PackageError("names two versions of its operators; export it again")
    newest = onnx.defs.onnx_opset_version()
    if not MIN_OPSET <= versions[0] <= newest:
        raise PackageError(f"is of opset {versions[0]}, served are {MIN_OPSET} to {newest}; export it with opset 17")
    if not MIN_IR <= model.ir_version <= onnx.IR_VERSION:
        raise PackageError(f"is of IR version {model.ir_version}, served are {MIN_IR} to {onnx.IR_VERSION}")
    if model.functions or model.training_info:
        raise PackageError("has functions of its own or training steps; export it for inference, functions inlined")


def _check_parts(graph: Any) -> None:
    if len(graph.node) > MAX_NODES or len(graph.initializer) > MAX_CONSTANTS:
        raise PackageError(
            f"has {len(graph.node)} operators and {len(graph.initializer)} constants, more than {MAX_NODES}; "
            f"a network for an edge device has fewer"
        )
    if graph.sparse_initializer:
        raise PackageError("has sparse weights, which TensorRT lacks; export them dense")
    if not 1 <= len(graph.output) <= MAX_OUTPUTS:
        raise PackageError(f"has {len(graph.output)} outputs, served are 1 to {MAX_OUTPUTS}; export fewer")
    for value in (*graph.input, *graph.output):
        if not value.name.isprintable() or not 0 < len(value.name) <= MAX_NAME:
            raise PackageError(f"has an input or output of odd name {one_line(value.name, 40)!r}; rename it")


def _check_nodes(graph: Any) -> None:
    for node in graph.node:
        name = one_line(node.op_type, 40)
        if node.domain not in OWN:
            raise PackageError(
                f"uses {name} of {one_line(node.domain, 40)}, which TensorRT lacks; export it with ONNX's own operators"
            )
        if node.op_type in RANDOM:
            raise PackageError(f"uses {name}: its answers would not repeat; export it for inference")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise PackageError(f"uses {name}, a branch or loop; export it without, by tracing one picture")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors or attribute.HasField("tp"):
                raise PackageError(f"uses {name} with sparse or typed constants; export them dense")


def _check_picture(graph: Any) -> None:
    """Exactly one input, float32 (n, 3, height, width)."""
    if len(graph.input) != 1:
        raise PackageError(f"has {len(graph.input)} inputs, a network for photos has one; export it so")
    value = graph.input[0]
    kind = value.type.tensor_type
    shape = [size.dim_value if size.WhichOneof("value") == "dim_value" else -1 for size in kind.shape.dim]
    name = one_line(value.name, 40)
    if kind.elem_type != onnx.TensorProto.FLOAT:
        raise PackageError(f"takes no float32 picture in {name!r}; export it in float32")
    if len(shape) == 4 and shape[3] == 3 and shape[1] != 3:
        raise PackageError(f"takes pictures {shape} in {name!r}, channels last; export it as [n, 3, height, width]")
    if len(shape) != 4 or shape[1] != 3 or max(shape) > MAX_SIDE_PX:
        raise PackageError(f"takes {shape} in {name!r}, not photos [n, 3, height, width]; export it so")
    for output in graph.output:
        if output.type.WhichOneof("value") not in ("tensor_type", None):
            raise PackageError(f"answers no array in {one_line(output.name, 40)!r}; export it so")


def _check_whole(model: Any) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise PackageError(f"is not valid ONNX ({one_line(str(error), 160)}); export it again") from error
