"""The fixture `gpu`: a test runs with the stand-ins of one TensorRT version and of pycuda, and has to end clean."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType

import pytest

from tests.fakes.gpu import driver

_HELD = ("live_device", "live_pinned", "live_streams", "live_events", "live_modules")
_FAULTS = (
    "without_context", "bad_frees", "uses_after_free", "out_of_bounds", "overruns", "threads_ended_pushed",
)  # fmt: skip


@dataclass
class StandinGpu:
    """What a test sees. version: "10.3.0", "10.16.1" or "11.4.0". trt, cuda: `tensorrt` and `pycuda.driver`."""

    version: str
    trt: ModuleType
    cuda: ModuleType
    forgiven: set[str] = field(default_factory=set)

    def count(self, name: str) -> int:
        """A counter of the driver."""
        return driver.count(name)

    def fail(self, call: str, code: int, after: int = 0, times: int = 1) -> None:
        """See `driver.fail`."""
        driver.fail(call, code, after, times)

    def set_memory(self, size: int) -> None:
        """Bytes that the device has, until the test ends."""
        driver.library().standin_set_memory(size)

    def forgive(self, *counters: str) -> None:
        """The test provokes these faults or leaks itself."""
        self.forgiven.update(counters)


@pytest.fixture(params=driver.VERSIONS)
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinGpu]:
    """Fails a test that leaks device memory or streams, uses freed memory, or calls CUDA without a context."""
    if reason := driver.why_not():
        pytest.skip(reason)
    library = driver.library()
    modules = _pycuda()
    library.standin_reset()
    held = {name: driver.count(name) for name in _HELD}
    made = StandinGpu(request.param, _tensorrt(request.param), modules["pycuda.driver"])
    for name, module in {**modules, "tensorrt": made.trt}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name, value in driver.child_environment(request.param).items():
        monkeypatch.setenv(name, value)
    yield made
    if _faults(held, made.forgiven):
        gc.collect()  # slow, and needed only where a cycle holds something
    faults = _faults(held, made.forgiven)
    library.standin_reset()
    assert not faults


def _faults(held: dict[str, int], forgiven: set[str]) -> dict[str, int]:
    faults = {name: driver.count(name) for name in _FAULTS}
    faults.update({name: driver.count(name) - before for name, before in held.items()})
    return {name: count for name, count in faults.items() if count > 0 and name not in forgiven}


@lru_cache
def _tensorrt(version: str) -> ModuleType:
    from tests.fakes.gpu.module import load  # onnx takes its time, and few tests need it

    return load(version)


@lru_cache
def _pycuda() -> dict[str, ModuleType]:
    """The modules of pycuda, imported once a process (an extension cannot be imported again) and hidden."""
    driver.library()  # pycuda finds this very library
    sys.path.insert(0, str(driver.pycuda_folder()))
    try:
        importlib.import_module("pycuda.driver")
    finally:
        sys.path.pop(0)
    found = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "pycuda"}
    for name in found:
        del sys.modules[name]
    return found
