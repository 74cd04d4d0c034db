"""A small network built and opened on the stand-ins, step by step as the real library wants it, for the tests of the
stand-ins: each test leaves out or spoils one step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.contract.made_up import made_up
from tests.fakes.gpu.fixture import StandinGpu

PROFILE = {"picture": ((1, 3, 4, 4), (2, 3, 8, 8), (4, 3, 16, 16)), "gain": ((1, 1), (2, 1), (4, 1))}
OUTPUTS = ("scaled", "total")


def logger(trt: Any) -> Any:
    """An ILogger that keeps what it is told in `lines`."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.lines: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            self.lines.append(msg)

    return Log()


def parsed(trt: Any, log: Any, model: bytes, flags: int = 0) -> tuple[Any, Any]:
    """A builder and a network with `model` in it."""
    builder = trt.Builder(log)
    network = builder.create_network(flags)
    assert trt.OnnxParser(network, log).parse(model)
    return builder, network


def config_of(builder: Any, profile: dict[str, Any] | None = None) -> Any:
    """A configuration with one profile."""
    config, shapes = builder.create_builder_config(), builder.create_optimization_profile()
    for name, sizes in (PROFILE if profile is None else profile).items():
        shapes.set_shape(name, *sizes)
    assert config.add_optimization_profile(shapes) == 0
    return config


def plan_of(trt: Any, folder: Path, log: Any = None) -> bytes:
    """`made_up` as a plan."""
    log = log or logger(trt)
    builder, network = parsed(trt, log, made_up(folder).read_bytes())
    return bytes(builder.build_serialized_network(network, config_of(builder)))


@lru_cache
def _primary(cuda: Any) -> Any:
    cuda.init()
    return cuda.Device(0).retain_primary_context()  # once: pycuda cannot give it back cleanly


@contextlib.contextmanager
def current(gpu: StandinGpu) -> Iterator[None]:
    """With the context on this thread."""
    _primary(gpu.cuda).push()
    try:
        yield
    finally:
        gpu.cuda.Context.pop()


class Opened:
    """`made_up` ready to run on two pictures; needs a current context all the while."""

    def __init__(self, gpu: StandinGpu, folder: Path) -> None:
        trt, self.cuda = gpu.trt, gpu.cuda
        self.log = logger(trt)
        self.stream = self.cuda.Stream()
        self.engine = trt.Runtime(self.log).deserialize_cuda_engine(plan_of(trt, folder))
        self.context = self.engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        random = np.random.default_rng(3)
        self.given = {
            "picture": random.normal(size=(2, 3, 8, 8)).astype(np.float32), "gain": np.float32([[1.5], [-2]]),
        }  # fmt: skip
        for name, array in self.given.items():
            assert self.context.set_input_shape(name, array.shape)
        self.need = self.context.update_device_memory_size_for_shapes()
        self.arena = self.cuda.mem_alloc(self.need)
        self.context.set_device_memory(int(self.arena), self.need)
        self.host: dict[str, Any] = {}
        self.device: dict[str, Any] = {}
        for number in range(self.engine.num_io_tensors):
            self._place(trt, self.engine.get_tensor_name(number))

    def _place(self, trt: Any, name: str) -> None:
        dtype = trt.nptype(self.engine.get_tensor_dtype(name))
        self.host[name] = self.cuda.pagelocked_zeros(tuple(self.context.get_tensor_shape(name)), dtype)
        self.device[name] = self.cuda.mem_alloc(self.host[name].nbytes)
        assert self.context.set_tensor_address(name, int(self.device[name]))
        if name in self.given:
            self.host[name][:] = self.given[name]

    def start(self) -> bool:
        """Everything up to the wait."""
        for name in self.given:
            self.cuda.memcpy_htod_async(self.device[name], self.host[name], self.stream)
        started: bool = self.context.execute_async_v3(self.stream.handle)
        for name in OUTPUTS:
            self.cuda.memcpy_dtoh_async(self.host[name], self.device[name], self.stream)
        return started

    def run(self) -> dict[str, Any]:
        """The answers."""
        assert self.start()
        self.stream.synchronize()
        return {name: self.host[name].copy() for name in OUTPUTS}
