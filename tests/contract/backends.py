"""The backends that the suite holds to the contract. A new one is a row of BACKENDS; the tests do not change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge.backends.base import Engine
from faceedge.backends.onnx import OnnxEngine
from tests.contract.made_up import brittle


@dataclass(frozen=True, slots=True)
class Backend:
    """open: an engine for an ONNX file and the largest batch. fail: an engine, made in the folder given, of the input
    `x` [batch, 3, height, width], which takes 4x4 and fails when it runs on anything else.

    tolerance: how far an answer may be from the reference (ONNX Runtime's own `run` on one thread) and a batch from
    its members, as a share of the largest magnitude in the output. device: what it must report. shares_threads: many
    threads may call `infer` at once. slow: too slow for every run of the suite with real networks.
    """

    name: str
    open: Callable[[Path, int], Engine]
    fail: Callable[[Path], Engine]
    tolerance: float = 0.0
    device: str = "cpu"
    shares_threads: bool = True


def onnx(threads: int) -> Callable[[Path, int], Engine]:
    """Opens graphs in ONNX Runtime on the CPU."""
    return lambda graph, max_batch: OnnxEngine(graph, max_batch=max_batch, threads=threads)


BACKENDS = (
    Backend("onnx-1-thread", onnx(1), lambda folder: onnx(1)(brittle(folder), 4)),
    Backend("onnx-2-threads", onnx(2), lambda folder: onnx(2)(brittle(folder), 4)),
)
