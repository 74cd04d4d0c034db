"""The GPU through pycuda: memory, copies, the stream, kernels. One a process (`process_gpu`), used by the TensorRT
engine and the CUDA preprocessor; all of it runs on one worker thread."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import DeviceTensor, Tensor
from faceedge.backends.cuda_memory import DeviceMemory, Held, PinnedMemory
from faceedge.backends.cuda_worker import Worker
from faceedge.errors import EngineError, MissingExtra, one_line

Result = TypeVar("Result")
_NON_BLOCKING = 1
"""Of a stream: not ordered with the default one; pycuda has no name for it."""


class Gpu:
    """One CUDA device. Every method may be called from any thread, and waits until the worker thread has run it.

    name, capability (8, 7), total_bytes: of the device. stream: pycuda's; stream_handle: its number, for TensorRT.
    What is enqueued runs in order on the stream; `finish` waits for it. Objects of pycuda or TensorRT are to be made,
    used and dropped inside `run`. After an illegal address or with a dead context every call raises DeviceLost.

    Raises MissingExtra without pycuda, EngineError without a device.
    """

    def __init__(self, number: int = 0) -> None:
        self._cuda = _driver()
        self._number = number
        self._worker = Worker(self._cuda, number)
        self._kept: dict[str, Any] = {}  # what pycuda made
        atexit.register(self.close)  # a daemon thread that wakes while Python ends would abort the process
        try:
            self.run(self._prepare)
        except BaseException:
            self.close()
            raise

    def run(self, function: Callable[[], Result]) -> Result:
        """The result of `function`, run on the worker thread with the context; its exceptions come back.

        A function that runs there may call `run` and all other methods again. What it returns must hold nothing of
        pycuda or TensorRT. Raises DeviceLost, NoDeviceMemory, EngineError instead of pycuda's errors.
        """
        return self._worker.run(function)

    @property
    def device(self) -> str:
        """As `Engine.device` has it."""
        return f"cuda:{self._number}"

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for the worker thread at this moment."""
        return self._worker.is_idle

    @property
    def is_lost(self) -> bool:
        """Whether the context died: only a new process mends that."""
        return self._worker.is_lost

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._worker.is_closed

    @property
    def stream(self) -> Any:
        """pycuda's stream, for use inside `run`."""
        return self._kept["stream"]

    def alloc(self, size: int) -> DeviceMemory:
        """A block of at least one byte, aligned to 256. Raises NoDeviceMemory."""
        size = max(int(size), 1)  # the driver refuses 0
        return self.run(lambda: DeviceMemory(self._cuda.mem_alloc(size), size, self._worker.bury))

    def pinned(self, shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array of any content in page-locked memory of the host. It may be dropped anywhere, and outlives `close`.
        Raises NoDeviceMemory."""
        return self.run(lambda: np.asarray(PinnedMemory(self._pagelocked(shape, dtype), self._worker.bury)))

    def free(self, *blocks: DeviceMemory) -> None:
        """Gives device memory back at once, after what the stream still does with it."""
        self.run(lambda: self._free(blocks))

    def upload(self, target: DeviceMemory, source: Tensor, offset: int = 0) -> None:
        """Enqueues a copy to the device, `offset` bytes into the block. source: C-contiguous, unchanged until
        `finish`; from pinned memory it does not hold up the worker."""
        _check_fits(target, source, offset)
        self.run(lambda: self._cuda.memcpy_htod_async(target.address + offset, source, self.stream))

    def download(self, target: Tensor, source: DeviceMemory, offset: int = 0) -> None:
        """Enqueues a copy from the device; `target` (C-contiguous) is filled after `finish`."""
        _check_fits(source, target, offset)
        self.run(lambda: self._cuda.memcpy_dtoh_async(target, source.address + offset, self.stream))

    def bury(self, held: Held) -> None:
        """Has the worker empty a list of what was made inside `run`, the last first: the caller must hold it in no
        other way. For `__del__`: it waits for nothing."""
        self._worker.bury(held)

    def finish(self) -> None:
        """Waits, without spinning, until the stream has done everything. Raises DeviceLost when that went wrong."""
        self.run(self._finish)

    def check(self) -> None:
        """Raises DeviceLost when the context is dead. For who was told of a failure by another library."""
        self.run(self._cuda.Context.synchronize)

    def fetch(self, tensor: DeviceTensor) -> Tensor:
        """A copy on the host."""
        return self.run(lambda: self._fetch(tensor))

    def memory_info(self) -> tuple[int, int]:
        """Free and total bytes as the driver tells them; on a Jetson what the page cache holds counts as used."""
        free, total = self.run(self._cuda.mem_get_info)
        return int(free), int(total)

    def load(self, image: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        """Functions of a compiled module, by name; pycuda's, for use inside `run`. A module is loaded once and stays
        until `close`, which empties what is returned. A broken image can end the process: check it before.

        Raises EngineError when the device cannot run the image.
        """
        return self.run(lambda: self._load(image, names))

    def close(self) -> None:
        """Frees what the Gpu itself holds and ends the worker thread; a second call does nothing."""
        atexit.unregister(self.close)
        with suppress(EngineError):  # lost or closed: there is nothing left to free
            self.run(self._leave)
        self._worker.bury(list(self._kept.values()))  # of a lost device: no thread may drop it any more
        self._kept.clear()
        self._worker.close()

    def _prepare(self) -> None:
        device = self._cuda.Device(self._number)
        self.name = str(device.name())
        self.capability: tuple[int, int] = tuple(device.compute_capability())
        self.total_bytes = int(device.total_memory())
        flags = self._cuda.event_flags
        self._kept["modules"] = {}
        self._kept["stream"] = self._cuda.Stream(_NON_BLOCKING)
        self._kept["event"] = self._cuda.Event(flags.BLOCKING_SYNC | flags.DISABLE_TIMING)
        self.stream_handle = int(self.stream.handle)

    def _pagelocked(self, shape: int | tuple[int, ...], dtype: Any) -> Any:
        return self._cuda.pagelocked_empty(shape, np.dtype(dtype))

    def _free(self, blocks: tuple[DeviceMemory, ...]) -> None:
        self._finish()
        for block in blocks:
            block.free()

    def _finish(self) -> None:
        event = self._kept["event"]
        event.record(self.stream)
        event.synchronize()

    def _fetch(self, tensor: DeviceTensor) -> Tensor:
        array = np.empty(tensor.shape, tensor.dtype)
        self._cuda.memcpy_dtoh_async(array, tensor.pointer, self.stream)
        self._finish()
        return array

    def _load(self, image: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        modules: dict[bytes, dict[str, Any]] | None = self._kept.get("modules")
        if modules is None:
            raise EngineError("the GPU was let go of meanwhile; start faceedge again")
        if image not in modules:
            module = self._cuda.module_from_buffer(image)
            modules[image] = {name: module.get_function(name) for name in names}
        return modules[image]

    def _leave(self) -> None:
        if "event" in self._kept:
            self._finish()
        for functions in self._kept.get("modules", {}).values():
            functions.clear()
        self._kept.clear()


_PROCESS: list[Gpu] = []
_OPENING = threading.Lock()


def process_gpu() -> Gpu:
    """The Gpu of this process, opened at the first call and again after it was closed; a lost one stays.

    Raises MissingExtra without pycuda, EngineError without a device.
    """
    with _OPENING:
        if not _PROCESS or (_PROCESS[0].is_closed and not _PROCESS[0].is_lost):
            _PROCESS[:] = [Gpu()]
        return _PROCESS[0]


def _driver() -> Any:
    """pycuda.driver. Not autoinit: that makes a context of its own, in the thread that imports it."""
    try:
        import pycuda.driver
    except ModuleNotFoundError as error:
        raise MissingExtra('pycuda is not installed; install the extra: pip install "faceedge[jetson]"') from error
    except ImportError as error:  # libcuda.so.1 is the driver's
        raise MissingExtra(
            f"pycuda cannot be loaded ({one_line(str(error), 150)}); check the driver, and build pycuda on this "
            'machine: pip install "faceedge[jetson]"'
        ) from error
    return pycuda.driver


def _check_fits(memory: DeviceMemory, array: Tensor, offset: int) -> None:
    if not array.flags.c_contiguous or not 0 <= offset <= memory.size - array.nbytes:
        raise EngineError(
            f"{array.nbytes} bytes at {offset} do not fit {memory.size} of device memory, or not in order"
        )
