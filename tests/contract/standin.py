"""TensorRT engines over the stand-ins of tests/fakes/gpu: ONNX files are built into plans by our own calls, and opened
on one GPU and one arena, as in the daemon.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import onnx

from faceedge.backends.arena import Arena
from faceedge.backends.cuda import Gpu
from faceedge.backends.fingerprint import BuildOptions
from faceedge.backends.tensorrt import TensorRtEngine
from faceedge.backends.trt_network import Work, build
from tests.fakes.gpu import driver
from tests.fakes.gpu.fixture import _pycuda as pycuda
from tests.fakes.gpu.module import load

MOST_PX = 128
"""Largest side of the inputs that are free in size."""
FAULTS = (
    "without_context", "bad_frees", "uses_after_free", "out_of_bounds", "overruns", "threads_ended_pushed",
    "pageable_copies",
)  # fmt: skip


def absent() -> str:
    """Why the stand-ins cannot be used here; empty when they can."""
    return driver.why_not() or ""


@lru_cache
def trt(version: str) -> ModuleType:
    """The module of one version."""
    return load(version)


@lru_cache
def device() -> tuple[Gpu, Arena]:
    """One of each a process."""
    with mock.patch.dict(sys.modules, pycuda()):
        gpu = Gpu()
    return gpu, Arena(gpu)


def forget_device() -> None:
    """The next engine opens the GPU anew."""
    if device.cache_info().currsize:
        device()[0].close()
    device.cache_clear()


def plan(trt: ModuleType, graph: Path, max_batch: int) -> bytes:
    """Built in FP32 for batches of 1 to max_batch, and where the size is free for 1 to MOST_PX."""
    options = BuildOptions(precision="fp32", profile=_profile(graph, max_batch))
    work = Work(graph.read_bytes(), options, "weak" if trt.__version__.startswith("10.3") else "strong")
    return bytes(build(trt, work, lambda share, phase: None).plan)


def engine(version: str, plan: bytes) -> TensorRtEngine:
    """Opened with the module of that version."""
    with mock.patch.dict(sys.modules, tensorrt=trt(version)):
        return TensorRtEngine(plan, *device())


def allocations() -> int:
    """Of device and pinned memory since the process began."""
    return driver.count("cuMemAlloc") + driver.count("cuMemHostAlloc")


@contextmanager
def watched() -> Iterator[None]:
    """Raises when anybody broke a rule of the driver meanwhile, or left a context on this thread."""
    before = {name: driver.count(name) for name in FAULTS}
    yield
    assert {name: driver.count(name) for name in FAULTS} == before
    assert driver.library().standin_depth() == 0, "a context is left on the thread"


def _profile(graph: Path, max_batch: int) -> dict[str, Any]:
    found = onnx.load(graph, load_external_data=False).graph
    constants = {constant.name for constant in found.initializer}
    shapes = {value.name: value.type.tensor_type.shape.dim for value in found.input if value.name not in constants}
    return {
        name: tuple(_shape(dims, *ends) for ends in ((1, 1), (1, 64), (max_batch, MOST_PX)))
        for name, dims in shapes.items()
    }


def _shape(dims: Any, batch: int, side: int) -> tuple[int, ...]:
    free = [batch] + [side] * (len(dims) - 1)
    return tuple(dim.dim_value if dim.HasField("dim_value") else size for dim, size in zip(dims, free, strict=True))
