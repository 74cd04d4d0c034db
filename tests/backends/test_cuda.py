"""The GPU's one thread and its memory, over the stand-in driver: who frees, who waits, what a dead context means."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from faceedge.backends.base import DeviceTensor
from faceedge.backends.cuda import Gpu, process_gpu
from faceedge.errors import DeviceLost, EngineError, MissingExtra, NoDeviceMemory
from tests.fakes.gpu import driver
from tests.fakes.gpu.fixture import StandinGpu

standin = pytest.mark.parametrize("gpu", ["10.3.0"], indirect=True)


@pytest.fixture
def device(gpu: StandinGpu) -> Iterator[Gpu]:
    opened = Gpu()
    yield opened
    opened.close()


def freed(device: Gpu) -> None:
    """Until the worker has emptied what was dropped."""
    gc.collect()
    device.run(lambda: None)
    device.run(lambda: None)


@standin
def test_what_was_uploaded_comes_back(device: Gpu, gpu: StandinGpu) -> None:
    sent = device.pinned((3, 5), np.float32)
    sent[:] = np.arange(15).reshape(3, 5)
    block = device.alloc(2 * sent.nbytes)
    device.upload(block, sent, offset=sent.nbytes)
    back = device.pinned((3, 5), np.float32)
    device.download(back, block, offset=sent.nbytes)
    device.finish()
    np.testing.assert_array_equal(back, sent)
    tensor = DeviceTensor(block.address + sent.nbytes, (3, 5), "float32", block)
    np.testing.assert_array_equal(device.fetch(tensor), sent)
    assert gpu.count("spinning_waits") == 0


@standin
def test_the_device_tells_what_it_is(device: Gpu) -> None:
    assert (device.device, device.capability) == ("cuda:0", (8, 7))
    free, total = device.memory_info()
    block = device.alloc(1 << 20)
    assert device.memory_info() == (free - (1 << 20), total)
    assert block.address % 256 == 0
    assert device.total_bytes == total


@standin
def test_everything_runs_on_one_thread_whoever_asks(device: Gpu) -> None:
    seen: list[str] = []

    def work() -> None:
        for _ in range(20):
            device.run(lambda: seen.append(threading.current_thread().name))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["gpu"] * 100


@standin
def test_a_function_on_the_worker_may_ask_again(device: Gpu) -> None:
    assert device.run(lambda: device.run(lambda: device.alloc(8).size)) == 8


@standin
def test_exceptions_come_back_and_work_goes_on(device: Gpu) -> None:
    with pytest.raises(ZeroDivisionError):
        device.run(lambda: 1 // 0)
    assert device.run(lambda: 7) == 7


@standin
def test_what_a_failed_function_held_is_freed_by_the_worker(device: Gpu, gpu: StandinGpu) -> None:
    def fails() -> None:
        held = gpu.cuda.mem_alloc(100)
        raise ValueError(int(held))

    before = gpu.count("live_device")
    with pytest.raises(ValueError, match=r"\d"):
        device.run(fails)
    assert gpu.count("live_device") == before


@standin
def test_memory_that_any_thread_drops_is_freed_by_the_worker(device: Gpu, gpu: StandinGpu) -> None:
    before = {name: gpu.count(name) for name in ("live_device", "live_pinned")}
    held = [device.alloc(10), device.pinned(10, np.uint8), device.pinned((4, 4), np.float32)[1:]]
    assert gpu.count("live_device") > before["live_device"]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    freed(device)
    assert {name: gpu.count(name) for name in before} == before


@standin
def test_the_worker_frees_what_is_buried_although_its_list_is_still_held(device: Gpu, gpu: StandinGpu) -> None:
    before = gpu.count("live_device")
    held: list[object] = []
    device.run(lambda: held.append(gpu.cuda.mem_alloc(100)))
    device.bury(held)
    device.run(lambda: None)
    device.run(lambda: None)
    assert held == []
    assert gpu.count("live_device") == before


@standin
@pytest.mark.parametrize("call", ["cuStreamCreate", "cuEventCreate", "cuDeviceGetName"])
def test_a_gpu_that_does_not_start_says_why_and_leaves_nothing(gpu: StandinGpu, call: str) -> None:
    before = gpu.count("live_streams")
    threads = threading.active_count()
    gpu.fail(call, 1)
    with pytest.raises(EngineError, match=f"CUDA failed: {call}"):
        Gpu()
    assert gpu.count("live_streams") == before
    assert threading.active_count() <= threads + 1, "at most the one that is about to end"


@standin
def test_a_view_keeps_pinned_memory_even_beyond_the_end(gpu: StandinGpu) -> None:
    before = gpu.count("live_pinned")
    first = Gpu()
    row = first.pinned((4, 4), np.float32)[2]
    row[:] = 5
    first.close()
    gc.collect()
    assert row.tolist() == [5, 5, 5, 5]
    del row
    second = Gpu()  # frees what the first could not
    freed(second)
    second.close()
    assert gpu.count("live_pinned") == before


@standin
def test_memory_that_was_given_back_is_given_back_once(device: Gpu, gpu: StandinGpu) -> None:
    before = gpu.count("live_device")
    block = device.alloc(10)
    device.free(block)
    device.free(block)
    assert (block.address, block.size) == (0, 0)
    with pytest.raises(EngineError, match="do not fit"):
        device.upload(block, np.zeros(1, np.uint8))
    assert gpu.count("live_device") == before


@standin
@pytest.mark.parametrize("array", [np.zeros(9, np.uint8), np.asfortranarray(np.zeros((2, 2), np.uint8))])
def test_a_copy_that_does_not_fit_is_refused(device: Gpu, array: np.ndarray) -> None:
    block = device.alloc(8)
    for copy in (lambda: device.upload(block, array), lambda: device.download(array, block)):
        with pytest.raises(EngineError, match="do not fit"):
            copy()
    with pytest.raises(EngineError, match="do not fit"):
        device.upload(block, np.zeros(1, np.uint8), offset=-1)


@standin
def test_no_memory_left_is_no_end(device: Gpu, gpu: StandinGpu) -> None:
    free, total = device.memory_info()  # other tests of this process may hold some
    gpu.set_memory(total - free + 10_000)
    with pytest.raises(NoDeviceMemory, match="lower the batch"):
        device.alloc(20_000)
    assert device.alloc(5_000).size == 5_000


@standin
def test_an_error_of_one_call_is_no_end(device: Gpu, gpu: StandinGpu) -> None:
    gpu.fail("cuMemcpyHtoDAsync", 1)
    block = device.alloc(8)
    with pytest.raises(EngineError, match="CUDA failed"):
        device.upload(block, np.zeros(8, np.uint8))
    assert not device.is_lost
    device.upload(block, np.zeros(8, np.uint8))
    device.free(block)


@standin
@pytest.mark.parametrize("code", [700, 702, 709, 710, 714, 715, 716, 717, 718, 719])
def test_after_a_fault_of_the_device_every_call_says_so(device: Gpu, gpu: StandinGpu, code: int) -> None:
    gpu.forgive("live_streams", "live_events")
    gpu.fail("cuEventSynchronize", code)
    with pytest.raises(DeviceLost, match="start anew") as caught:
        device.finish()
    assert caught.value.exit_code == 75
    assert device.is_lost
    for call in (device.finish, device.memory_info, lambda: device.alloc(1), lambda: device.run(lambda: 1)):
        with pytest.raises(DeviceLost):
            call()


DEADLY = [
    "driver shutting down", "uncorrectable ECC error encountered", "an illegal memory access was encountered",
    "the launch timed out and was terminated", "context is destroyed", "device-side assert triggered",
    "hardware stack error", "an illegal instruction was encountered", "misaligned address",
    "operation not supported on global/shared address space", "invalid program counter", "unspecified launch failure",
    "unknown error",
]  # fmt: skip
"""As the driver of CUDA 12.6 words them."""


@standin
@pytest.mark.parametrize("words", DEADLY)
def test_faults_are_known_by_the_words_of_the_driver(device: Gpu, gpu: StandinGpu, words: str) -> None:
    gpu.forgive("live_streams", "live_events")

    def fails() -> None:
        raise gpu.cuda.LogicError(f"cuEventSynchronize failed: {words}")

    with pytest.raises(DeviceLost, match=words):
        device.run(fails)
    with pytest.raises(DeviceLost, match=words):
        device.finish()


@standin
def test_a_fault_that_stays_is_known_whatever_it_is_called(device: Gpu, gpu: StandinGpu) -> None:
    gpu.forgive("live_streams", "live_events")
    gpu.fail("cuEventSynchronize", 1)
    gpu.fail("cuCtxSynchronize", 1)
    with pytest.raises(DeviceLost):
        device.finish()


@standin
def test_who_heard_of_a_failure_elsewhere_can_ask(device: Gpu, gpu: StandinGpu) -> None:
    gpu.forgive("live_streams", "live_events", "spinning_waits")
    device.check()
    gpu.fail("cuCtxSynchronize", 700)
    with pytest.raises(DeviceLost):
        device.check()


@standin
def test_in_a_lost_context_nothing_is_freed(gpu: StandinGpu, capfd: pytest.CaptureFixture[str]) -> None:
    gpu.forgive("live_device", "live_streams", "live_events")
    lost = Gpu()
    block = lost.alloc(10)
    frees = gpu.count("cuMemFree")
    gpu.fail("cuEventSynchronize", 700)
    with pytest.raises(DeviceLost):
        lost.finish()
    del block
    lost.close()
    assert gpu.count("cuMemFree") == frees
    assert "WARNING" not in capfd.readouterr().err


@standin
def test_the_gpu_closes_once_and_its_thread_ends(gpu: StandinGpu) -> None:
    before = gpu.count("live_streams")
    opened = Gpu()
    thread = opened.run(threading.current_thread)
    opened.close()
    opened.close()
    thread.join(5)
    assert not thread.is_alive()
    assert opened.is_closed
    with pytest.raises(EngineError, match="closed"):
        opened.alloc(1)
    assert gpu.count("live_streams") == before


@standin
def test_many_openings_take_one_context(gpu: StandinGpu) -> None:
    Gpu().close()
    retained = gpu.count("cuDevicePrimaryCtxRetain")
    for _ in range(5):
        Gpu().close()
    assert gpu.count("cuDevicePrimaryCtxRetain") == retained


@standin
def test_the_process_has_one_gpu_and_after_its_end_another(gpu: StandinGpu) -> None:
    first = process_gpu()
    assert process_gpu() is first
    first.close()
    second = process_gpu()
    assert second is not first
    second.close()


@standin
def test_an_image_that_the_device_cannot_run_is_refused(device: Gpu, gpu: StandinGpu) -> None:
    gpu.fail("cuModuleLoadDataEx", 209)
    with pytest.raises(EngineError, match="CUDA failed"):
        device.load(b"\x7fELF", ("warp",))


def test_without_pycuda_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(MissingExtra, match=r"faceedge\[jetson\]"):
        Gpu()


CHILDREN = {
    "ends without closing": "Gpu().alloc(5)",
    "leaves while the worker is at work": """
import threading, time
gpu, begun = Gpu(), threading.Event()
threading.Thread(target=lambda: gpu.run(lambda: (begun.set(), time.sleep(0.3))), daemon=True).start()
begun.wait()
""",
    "leaves with a dead context": """
from tests.fakes.gpu import driver
gpu = Gpu()
driver.fail("cuEventSynchronize", 700, 0, -1)
driver.fail("cuCtxPopCurrent", 700, 0, -1)
try:
    gpu.finish()
except DeviceLost as error:
    gpu.close()
    sys.exit(error.exit_code)
""",
}


@pytest.mark.skipif(driver.why_not() is not None, reason=driver.why_not() or "")
@pytest.mark.parametrize(("what", "code"), list(zip(CHILDREN, [0, 0, 75], strict=True)))
def test_a_process_ends_without_being_aborted_when_it(what: str, code: int) -> None:
    done = child(CHILDREN[what])
    assert (done.returncode, done.stderr) == (code, "")


@pytest.mark.skipif(driver.why_not() is not None, reason=driver.why_not() or "")
def test_without_a_device_one_sentence_says_so() -> None:
    script = "\ntry:\n    Gpu()\nexcept EngineError as error:\n    print(error)\n"
    done = child(script, FACEEDGE_STANDIN_CUDA_FAIL="cuInit:100")
    assert done.stdout.startswith("no CUDA device 0:")
    assert done.stdout.endswith("check the driver\n")


def child(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own with the stand-in driver."""
    imports = (
        "import sys\nfrom faceedge.backends.cuda import Gpu\nfrom faceedge.errors import DeviceLost, EngineError\n"
    )
    env = {**driver.child_environment("10.3.0"), **environment}
    command = [sys.executable, "-c", imports + script]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@standin
def test_the_device_is_idle_while_nobody_waits_for_it(device: Gpu) -> None:
    started, go_on = threading.Event(), threading.Event()

    def work() -> bool:
        started.set()
        go_on.wait(10)
        return device.is_idle

    assert device.is_idle
    seen: list[bool] = []
    thread = threading.Thread(target=lambda: seen.append(device.run(work)))
    thread.start()
    assert started.wait(10)
    assert not device.is_idle
    go_on.set()
    thread.join(10)
    assert seen == [False]
    assert device.is_idle
    with pytest.raises(ZeroDivisionError):
        device.run(lambda: 1 / 0)
    assert device.is_idle, "a function that failed is over as well"
