"""Fixtures for the TensorRT engine over the stand-ins: a GPU, an arena, and an engine of the made-up network."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from faceedge.backends.arena import Arena
from faceedge.backends.base import DeviceTensor, Tensor
from faceedge.backends.cuda import Gpu
from faceedge.backends.tensorrt import TensorRtEngine
from tests.contract.made_up import made_up
from tests.fakes.gpu.fixture import StandinGpu


@dataclass
class Box:
    """A device of the test's own."""

    standin: StandinGpu
    gpu: Gpu
    arena: Arena

    def plan(self, graph: Path, max_batch: int = 4) -> bytes:
        from tests.contract.plans import plan  # onnx takes its time

        return plan(self.standin.trt, graph, max_batch)

    def open(self, plan: bytes) -> TensorRtEngine:
        return TensorRtEngine(plan, self.gpu, self.arena)

    def counts(self, *names: str) -> tuple[int, ...]:
        self.settle()
        return tuple(self.standin.count(name) for name in names)

    def settle(self) -> None:
        """Waits until what was dropped is freed. The second job comes after the burials that the first one met."""
        for _ in range(2):
            self.gpu.run(lambda: None)

    def carried(self, array: Tensor) -> DeviceTensor:
        block, pinned = self.gpu.alloc(array.nbytes), self.gpu.pinned(array.shape, array.dtype)
        pinned[:] = array
        self.gpu.upload(block, pinned)
        self.gpu.finish()
        return DeviceTensor(block.address, array.shape, array.dtype.name, block)


@pytest.fixture
def box(gpu: StandinGpu) -> Iterator[Box]:
    """Closed at the end; then `gpu` looks whether anything is left, or a rule of CUDA was broken."""
    opened = Gpu()
    yield Box(gpu, opened, Arena(opened))
    gc.collect()  # exceptions hold frames, and those hold memory
    opened.close()


@pytest.fixture
def plan(box: Box, tmp_path: Path) -> bytes:
    """Of the made-up network."""
    return box.plan(made_up(tmp_path))


@pytest.fixture
def engine(box: Box, plan: bytes) -> Iterator[TensorRtEngine]:
    """Of the made-up network."""
    opened = box.open(plan)
    yield opened
    opened.close()
