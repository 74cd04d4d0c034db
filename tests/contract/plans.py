"""ONNX files into plans of TensorRT, by our own calls: for engines over the stand-ins and on a device."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import onnx

from faceedge.backends.fingerprint import BuildOptions
from faceedge.backends.trt_network import Work, build

MOST_PX = 128
SIDES = (1, 64, MOST_PX)
"""Smallest, usual and largest side of inputs that are free in size."""


def plan(trt: ModuleType, graph: Path, max_batch: int, sides: tuple[int, int, int] = SIDES) -> bytes:
    """In FP32, for batches of 1 to max_batch."""
    options = BuildOptions(precision="fp32", profile=_profile(graph, max_batch, sides))
    work = Work(graph.read_bytes(), options, "weak" if trt.__version__.startswith("10.3") else "strong")
    return bytes(build(trt, work, lambda share, phase: None).plan)


def _profile(graph: Path, max_batch: int, sides: tuple[int, int, int]) -> dict[str, Any]:
    found = onnx.load(graph, load_external_data=False).graph
    constants = {constant.name for constant in found.initializer}
    shapes = {value.name: value.type.tensor_type.shape.dim for value in found.input if value.name not in constants}
    ends = tuple(zip((1, 1, max_batch), sides, strict=True))
    return {name: tuple(_shape(dims, *end) for end in ends) for name, dims in shapes.items()}


def _shape(dims: Any, batch: int, side: int) -> tuple[int, ...]:
    free = [batch] + [side] * (len(dims) - 1)
    return tuple(dim.dim_value if dim.HasField("dim_value") else size for dim, size in zip(dims, free, strict=True))
