"""The stand-in CUDA driver under the real pycuda: contexts, memory, streams, events and kernels. Each rule is broken
once.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.gpu import driver
from tests.fakes.gpu.example import current
from tests.fakes.gpu.fixture import StandinGpu

pytestmark = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)
KERNELS = """
extern "C" const char host_scale_arguments[] = "PPif";
extern "C" void host_scale(const unsigned *grid, const unsigned *block, void **a) {
    const float *from = *(const float **)a[0];
    float *to = *(float **)a[1];
    for (unsigned i = 0; i < grid[0] * block[0]; i++) if ((int)i < *(int *)a[2]) to[i] = from[i] * *(float *)a[3];
}
"""


@pytest.fixture
def cuda(gpu: StandinGpu) -> Iterator[Any]:
    """pycuda.driver with a context on this thread."""
    with current(gpu):
        yield gpu.cuda


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One kernel, for this machine."""
    if driver.why_not() or not shutil.which("c++"):
        pytest.skip(driver.why_not() or "no C++ compiler for a kernel")
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernels.cc").write_text(KERNELS)
    subprocess.run(["c++", "-shared", "-fPIC", "-o", "kernels.so", "kernels.cc"], cwd=folder, check=True)
    return folder / "kernels.so"


def raw(call: str, *arguments: int) -> int:
    """The driver itself, without pycuda."""
    code: int = getattr(driver.library(), call)(*(ctypes.c_uint64(argument) for argument in arguments))
    return code


def in_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def floats(cuda: Any, *values: float) -> Any:
    array = cuda.pagelocked_empty(len(values), np.float32)
    array[:] = values
    return array


def test_nothing_works_without_a_context(gpu: StandinGpu) -> None:
    gpu.forgive("without_context")
    gpu.cuda.init()
    for call in (partial(gpu.cuda.mem_alloc, 16), gpu.cuda.Stream, gpu.cuda.Event, gpu.cuda.mem_get_info):
        with pytest.raises(gpu.cuda.LogicError, match="invalid device context"):
            call()
    assert gpu.count("without_context") == 2  # of streams and events pycuda itself says it


def test_memory_freed_without_a_context_stays(gpu: StandinGpu) -> None:
    gpu.forgive("without_context")
    before = gpu.count("live_device")
    with current(gpu):
        memory = gpu.cuda.mem_alloc(16)
    assert raw("cuMemFree_v2", int(memory)) == 201
    assert gpu.count("live_device") == before + 1
    with current(gpu):
        memory.free()


def test_memory_dropped_on_a_thread_without_the_context_leaks(gpu: StandinGpu) -> None:
    gpu.forgive("live_device")
    before = gpu.count("live_device")
    with current(gpu):
        held = [gpu.cuda.mem_alloc(16)]
    with pytest.warns(UserWarning, match="out-of-thread context could not be cleaned up"):
        in_thread(held.clear)
    assert gpu.count("live_device") == before + 1


def test_a_thread_that_ends_with_a_context_is_counted(gpu: StandinGpu) -> None:
    gpu.forgive("threads_ended_pushed")
    context = ctypes.c_void_p()
    with current(gpu):
        driver.library().cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
    in_thread(lambda: raw("cuCtxPushCurrent_v2", context.value or 0))
    deadline = time.monotonic() + 5
    while not gpu.count("threads_ended_pushed") and time.monotonic() < deadline:
        time.sleep(0.001)  # Python joins a thread a little before its end
    assert gpu.count("threads_ended_pushed") == 1
    raw("cuDevicePrimaryCtxRelease_v2", 0)


def test_pycuda_aborts_a_process_whose_thread_ends_with_a_context(gpu: StandinGpu) -> None:
    code = (
        "import threading, pycuda.driver as cuda; cuda.init();"
        "t = threading.Thread(target=lambda: cuda.Device(0).retain_primary_context().push()); t.start(); t.join()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == -6
    assert "context stack was not empty" in found.stderr


def test_stacks_of_contexts_are_one_a_thread(gpu: StandinGpu, cuda: Any) -> None:
    gpu.forgive("without_context")
    codes: list[int] = []
    in_thread(lambda: codes.append(driver.library().standin_current()))
    assert (codes, driver.library().standin_current()) == ([201], 0)
    assert driver.library().standin_depth() == 1


def test_a_result_is_there_after_the_wait_and_not_before(cuda: Any) -> None:
    stream, memory = cuda.Stream(), cuda.mem_alloc(8)
    given, found = floats(cuda, 1, 2), floats(cuda, 0, 0)
    cuda.memcpy_htod_async(memory, given, stream)
    cuda.memcpy_dtoh_async(found, memory, stream)
    assert found.tolist() == [0, 0]
    given[0] = 5  # too early: the copy has not begun
    stream.synchronize()
    assert found.tolist() == [5, 2]


def test_copies_from_pageable_memory_are_counted(gpu: StandinGpu, cuda: Any) -> None:
    stream, memory = cuda.Stream(), cuda.mem_alloc(8)
    given = np.ones(2, np.float32)
    cuda.memcpy_htod_async(memory, given, stream)
    given[:] = 7
    cuda.memcpy_dtoh_async(given, memory, stream)
    assert given.tolist() == [1, 1]
    assert gpu.count("pageable_copies") == 2


def test_copies_and_fills_end_with_the_block(gpu: StandinGpu, cuda: Any) -> None:
    gpu.forgive("out_of_bounds", "uses_after_free")
    memory, stream, large = cuda.mem_alloc(8), cuda.Stream(), np.zeros(3, np.float32)
    for call in (
        partial(cuda.memcpy_htod, memory, large), partial(cuda.memcpy_dtoh, large, memory),
        partial(cuda.memcpy_htod_async, memory, large, stream), partial(cuda.memcpy_dtoh_async, large, memory, stream),
        partial(cuda.memset_d32, memory, 0, 3), partial(cuda.memcpy_dtod, memory, int(memory) + 4, 8),
        partial(cuda.memcpy_htod, 4096, large),
    ):  # fmt: skip
        with pytest.raises(cuda.LogicError, match="invalid argument"):
            call()
    address = int(memory)
    memory.free()
    with pytest.raises(cuda.LogicError, match="invalid argument"):
        cuda.memcpy_htod(address, np.zeros(1, np.float32))
    assert gpu.count("uses_after_free") == 1


def test_a_second_free_is_counted(gpu: StandinGpu, cuda: Any) -> None:
    gpu.forgive("bad_frees")
    memory = cuda.mem_alloc(8)
    address = int(memory)
    memory.free()
    assert raw("cuMemFree_v2", address) == 1
    assert gpu.count("bad_frees") == 1


def test_new_memory_is_not_zero(cuda: Any) -> None:
    found = np.zeros(4, np.uint8)
    memory = cuda.mem_alloc(4)
    cuda.memcpy_dtoh(found, memory)
    assert found.tolist() == [0xCD] * 4


def test_memory_is_limited_and_counted(gpu: StandinGpu, cuda: Any) -> None:
    free, total = cuda.mem_get_info()
    memory, pinned = cuda.mem_alloc(1 << 20), cuda.pagelocked_empty(1 << 20, np.uint8)
    assert cuda.mem_get_info() == (free - (2 << 20), total)
    gpu.set_memory((3 << 20) + total - free)
    with pytest.raises(cuda.MemoryError):
        cuda.mem_alloc((1 << 20) + 1)
    del pinned
    cuda.mem_alloc((1 << 20) + 1).free()
    memory.free()


def test_destroyed_streams_and_events_are_no_handles(cuda: Any) -> None:
    stream, event = cuda.Stream(), cuda.Event()
    handles = stream.handle, event.handle if hasattr(event, "handle") else 0
    del stream, event
    assert raw("cuStreamSynchronize", handles[0]) == 400
    assert raw("cuEventSynchronize", handles[1] or 4096) == 400


def test_an_event_waits_for_what_was_before_it(cuda: Any) -> None:
    stream, memory = cuda.Stream(), cuda.mem_alloc(4)
    event = cuda.Event(cuda.event_flags.BLOCKING_SYNC)
    given, found = floats(cuda, 3), [floats(cuda, 0), floats(cuda, 0)]
    cuda.memcpy_htod_async(memory, given, stream)
    cuda.memcpy_dtoh_async(found[0], memory, stream)
    event.record(stream)
    cuda.memcpy_dtoh_async(found[1], memory, stream)
    event.synchronize()
    assert (found[0][0], found[1][0]) == (3, 0)
    stream.synchronize()


def test_waits_that_burn_a_core_are_counted(gpu: StandinGpu, cuda: Any) -> None:
    stream = cuda.Stream()
    cuda.Event(cuda.event_flags.BLOCKING_SYNC).record(stream).synchronize()
    assert gpu.count("spinning_waits") == 0
    cuda.Event().record(stream).synchronize()
    stream.synchronize()
    assert gpu.count("spinning_waits") == 2


def test_a_stream_can_wait_for_another(cuda: Any) -> None:
    first, second, memory = cuda.Stream(), cuda.Stream(), cuda.mem_alloc(4)
    given, found, event = floats(cuda, 3), floats(cuda, 0), cuda.Event()
    cuda.memcpy_htod_async(memory, given, first)
    event.record(first)
    second.wait_for_event(event)
    cuda.memcpy_dtoh_async(found, memory, second)
    second.synchronize()
    assert found[0] == 3


def test_times_are_asked_of_events_that_happened(cuda: Any) -> None:
    stream, begin, end = cuda.Stream(), cuda.Event(), cuda.Event()
    begin.record(stream)
    with pytest.raises(cuda.LogicError, match="invalid resource handle"):
        end.time_since(begin)
    end.record(stream)
    with pytest.raises(cuda.Error, match="device not ready"):
        end.time_since(begin)
    end.synchronize()
    assert end.time_since(begin) >= 0
    assert end.query()


@pytest.mark.parametrize("kind", ["file", "bytes"])
def test_a_kernel_runs_over_its_grid(gpu: StandinGpu, cuda: Any, library: Path, kind: str) -> None:
    module = cuda.module_from_file(str(library)) if kind == "file" else cuda.module_from_buffer(library.read_bytes())
    scale, stream, found = module.get_function("scale"), cuda.Stream(), floats(cuda, 0, 0, 0)
    source, target = cuda.mem_alloc(12), cuda.mem_alloc(12)
    cuda.memcpy_htod_async(source, floats(cuda, 1, 2, 3), stream)
    scale(source, target, np.int32(3), np.float32(2), grid=(1, 1), block=(4, 1, 1), stream=stream)
    cuda.memcpy_dtoh_async(found, target, stream)
    stream.synchronize()
    assert found.tolist() == [2, 4, 6]
    assert gpu.count("kernels") == 1


def test_a_launch_that_does_not_fit_is_refused(gpu: StandinGpu, cuda: Any, library: Path) -> None:
    scale, memory = cuda.module_from_file(str(library)).get_function("scale"), cuda.mem_alloc(12)
    whole = (memory, memory, np.int32(3), np.float32(2))
    for arguments, grid, block in (
        (whole[:3], (1, 1), (4, 1, 1)), ((*whole[:3], np.float64(2)), (1, 1), (4, 1, 1)),
        (whole, (1, 1), (2048, 1, 1)), (whole, (0, 1), (4, 1, 1)), (whole, (1, 70000), (4, 1, 1)),
    ):  # fmt: skip
        with pytest.raises(cuda.LogicError, match="invalid argument"):
            scale(*arguments, grid=grid, block=block)
    assert gpu.count("kernels") == 0


def lost(cuda: Any, gpu: StandinGpu) -> None:
    """Every call answers 700 from now on, until the test takes it back."""
    for _ in range(2):
        with pytest.raises(cuda.LogicError, match="illegal memory access"):
            cuda.mem_alloc(4)
    driver.library().standin_reset()
    cuda.mem_alloc(4).free()


def test_a_kernel_that_writes_past_the_end_loses_the_context(gpu: StandinGpu, cuda: Any, library: Path) -> None:
    gpu.forgive("overruns")
    scale, stream = cuda.module_from_file(str(library)).get_function("scale"), cuda.Stream()
    source, target = cuda.mem_alloc(64), cuda.mem_alloc(12)
    scale(source, target, np.int32(4), np.float32(2), grid=(1, 1), block=(4, 1, 1), stream=stream)
    with pytest.raises(cuda.LogicError, match="illegal memory access"):
        stream.synchronize()
    lost(cuda, gpu)


def test_a_kernel_without_memory_of_the_device_loses_the_context(gpu: StandinGpu, cuda: Any, library: Path) -> None:
    scale, memory = cuda.module_from_file(str(library)).get_function("scale"), cuda.mem_alloc(12)
    host = np.uintp(np.zeros(3, np.float32).ctypes.data)
    with pytest.raises(cuda.LogicError, match="illegal memory access"):
        scale(host, memory, np.int32(3), np.float32(2), grid=(1, 1), block=(4, 1, 1))
    lost(cuda, gpu)


def test_what_is_no_module_is_refused(cuda: Any, library: Path, tmp_path: Path) -> None:
    cubin = bytearray(library.read_bytes())
    cubin[18:20] = (190).to_bytes(2, "little")  # EM_CUDA
    with pytest.raises(cuda.LogicError, match="image is invalid"):
        cuda.module_from_buffer(b"//PTX" + bytes(64))
    with pytest.raises(cuda.Error, match="no kernel image is available"):
        cuda.module_from_buffer(bytes(cubin))
    with pytest.raises(cuda.Error, match="file not found"):
        cuda.module_from_file(str(tmp_path / "absent.cubin"))
    with pytest.raises(cuda.LogicError, match="symbol not found"):
        cuda.module_from_file(str(library)).get_function("absent")


def test_failures_can_be_asked_for(gpu: StandinGpu, cuda: Any) -> None:
    gpu.fail("cuStreamCreate", 2, after=1)
    cuda.Stream()
    with pytest.raises(cuda.MemoryError):
        cuda.Stream()
    cuda.Stream()
    gpu.fail("cuMemAlloc", 2, times=2)  # pycuda tries twice
    with pytest.raises(cuda.MemoryError):
        cuda.mem_alloc(4)
    cuda.mem_alloc(4).free()
    gpu.fail("cuMemAlloc", 700)
    with pytest.raises(cuda.LogicError, match="illegal memory access"):
        cuda.mem_alloc(4)
    lost(cuda, gpu)


def test_the_environment_asks_for_failures_too(gpu: StandinGpu) -> None:
    code = "import pycuda.driver as cuda; cuda.init()"
    environment = {**os.environ, "FACEEDGE_STANDIN_CUDA_FAIL": "cuInit:100"}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "no CUDA-capable device" in found.stderr


def test_what_is_not_modelled_fails(cuda: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(cuda.Error, match="not supported"):
        cuda.mem_alloc_pitch(16, 16, 4)
    assert "cuMemAllocPitch_v2 is not modelled" in capfd.readouterr().err


@pytest.mark.system
def test_a_test_that_leaks_fails(gpu: StandinGpu, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # nobody else's settings, from a folder above
    (tmp_path / "test_leak.py").write_text(
        "import pytest\n"
        "from tests.fakes.gpu.example import current\n"
        "kept = []\n"
        "@pytest.mark.parametrize('gpu', ['10.3.0'], indirect=True)\n"
        "def test_leak(gpu):\n"
        "    with current(gpu):\n"
        "        kept.append(gpu.cuda.mem_alloc(4))\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.fakes.gpu.fixture", "-p", "no:cacheprovider", "-q"]
    found = subprocess.run([*command, tmp_path], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed, 1 error" in found.stdout
    assert "{'live_device': 1}" in found.stdout
