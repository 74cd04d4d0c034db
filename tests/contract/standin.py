"""TensorRT engines over the stand-ins of tests/fakes/gpu: plans of one version are opened on one GPU and one arena, as
in the daemon, and the rules of the driver are watched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from unittest import mock

from faceedge.backends.arena import Arena
from faceedge.backends.cuda import Gpu
from faceedge.backends.tensorrt import TensorRtEngine
from tests.fakes.gpu import driver
from tests.fakes.gpu.fixture import _pycuda as pycuda
from tests.fakes.gpu.module import load

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
    faults = {name: driver.count(name) - before[name] for name in FAULTS}
    assert not any(faults.values()), f"{faults}"
    assert driver.library().standin_depth() == 0, "a context is left on the thread"
