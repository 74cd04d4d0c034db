"""The backends that the suite holds to the contract. A new one is a row of BACKENDS; the tests do not change."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from faceedge.backends.base import Engine
from faceedge.backends.onnx import OnnxEngine
from faceedge.backends.switch import Inner, SwitchEngine
from tests.contract import jetson, standin
from tests.contract.made_up import brittle, no_network
from tests.contract.plans import MOST_PX, plan


@dataclass(frozen=True, slots=True)
class Backend:
    """open: an engine for an ONNX file and the largest batch. fail: an engine, made in the folder given, of the input
    `x` [batch, 3, height, width], which takes 4x4 and fails when it runs on anything else. garbage: opens what is no
    network, in the folder given.

    tolerance: how far an answer may be from the reference (ONNX Runtime's own `run` on one thread) and a batch from
    its members, as a share of the largest magnitude in the output. device: what it must report. shares_threads: many
    threads may call `infer` at once. slow: too slow for every run of the suite with real networks. samples: only a few
    of these, since another row shows the rest as well. most_px: the largest width and height that it was opened for,
    0 is any. absent: why the backend cannot run here, empty when it can. watched: around every test; raises when
    something was done that the device does not forgive. allocations: how often memory of the device or for its sake
    was asked for. marks: of every test.
    """

    name: str
    open: Callable[[Path, int], Engine]
    fail: Callable[[Path], Engine]
    garbage: Callable[[Path], Engine]
    tolerance: float = 0.0
    device: str = "cpu"
    shares_threads: bool = True
    slow: bool = False
    samples: bool = False
    most_px: int = 0
    absent: Callable[[], str] = str
    watched: Callable[[], AbstractContextManager[object]] = nullcontext
    allocations: Callable[[], int] = int
    marks: tuple[pytest.MarkDecorator, ...] = ()


def onnx(name: str, threads: int, *, samples: bool = False) -> Backend:
    """ONNX Runtime on the CPU."""

    def opened(graph: Path, max_batch: int) -> Engine:
        return OnnxEngine(graph, max_batch=max_batch, threads=threads)

    return Backend(
        name, opened, lambda folder: opened(brittle(folder), 4), lambda folder: opened(no_network(folder), 4),
        samples=samples,
    )  # fmt: skip


def switched() -> Backend:
    """ONNX Runtime that has just taken the place of another one, as TensorRT does of it."""

    def opened(graph: Path, max_batch: int) -> Engine:
        engine = SwitchEngine(Inner(OnnxEngine(graph, max_batch=max_batch)))
        engine.replace(Inner(OnnxEngine(graph, max_batch=max_batch)))
        return engine

    return Backend(
        "switched", opened, lambda folder: opened(brittle(folder), 4), lambda folder: opened(no_network(folder), 4),
        slow=True, samples=True,
    )  # fmt: skip


def tensorrt(version: str, *, samples: bool = False) -> Backend:
    """TensorRT over the stand-ins, in the API of one version."""

    def opened(graph: Path, max_batch: int) -> Engine:
        return standin.engine(version, plan(standin.trt(version), graph, max_batch))

    return Backend(
        f"tensorrt-{version}", opened, lambda folder: opened(brittle(folder), 4),
        lambda folder: standin.engine(version, no_network(folder).read_bytes()),
        device="cuda:0", slow=True, samples=samples, most_px=MOST_PX, absent=standin.absent, watched=standin.watched,
        allocations=standin.allocations,
    )  # fmt: skip


def tensorrt_on_the_device() -> Backend:
    """The real one, on a Jetson. It sums in another order than ONNX Runtime."""
    return Backend(
        "tensorrt-device", jetson.engine, lambda folder: jetson.engine(brittle(folder), 4, (4, 4, 4)),
        lambda folder: jetson.opened(no_network(folder).read_bytes()),
        tolerance=1e-3, device="cuda:0", most_px=MOST_PX, absent=jetson.absent, marks=(pytest.mark.device,),
    )  # fmt: skip


BACKENDS = (
    onnx("onnx-1-thread", 1), onnx("onnx-2-threads", 2, samples=True), switched(),
    tensorrt("10.3.0"), tensorrt("10.16.1", samples=True), tensorrt("11.4.0", samples=True), tensorrt_on_the_device(),
)  # fmt: skip
