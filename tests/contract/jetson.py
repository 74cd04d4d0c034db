"""TensorRT engines on the device at hand, for tests marked `device`: its own TensorRT builds and runs the plans."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from faceedge.backends.arena import Arena
from faceedge.backends.cuda import Gpu
from faceedge.backends.tensorrt import TensorRtEngine
from faceedge.backends.trt_log import tensorrt
from tests.contract.plans import MOST_PX, plan

REAL, MADE_UP = (32, 64, MOST_PX), (4, 16, MOST_PX)
"""Sides that the networks of the assets take, and those that were made up."""


def absent() -> str:
    """Why this is no device to test on; empty when it is."""
    missing = [name for name in ("tensorrt", "pycuda") if find_spec(name) is None]
    return f"no {' and no '.join(missing)}: this is not a Jetson that was set up" if missing else ""


@lru_cache
def device() -> tuple[Gpu, Arena]:
    """One of each a process."""
    gpu = Gpu()
    return gpu, Arena(gpu)


def engine(graph: Path, max_batch: int, sides: tuple[int, int, int] | None = None) -> TensorRtEngine:
    """Built here and now."""
    fitting = sides or (MADE_UP if graph.stem == "made_up" else REAL)
    return opened(plan(tensorrt(), graph, max_batch, fitting))


def opened(content: bytes) -> TensorRtEngine:
    """On the device of this process."""
    return TensorRtEngine(content, *device())
