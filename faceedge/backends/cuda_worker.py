"""The thread `gpu`: functions in, their results out. It alone has the CUDA context, frees what was allocated in it,
and tells faults of the device from errors of a call. Started by `cuda.Gpu`."""

from __future__ import annotations

import ctypes
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from faceedge.backends.cuda_memory import Held
from faceedge.errors import DeviceLost, EngineError, NoDeviceMemory, one_line

Result = TypeVar("Result")

_DEADLY = (
    "illegal memory access", "launch timed out", "device-side assert", "hardware stack error", "illegal instruction",
    "misaligned address", "address space", "invalid program counter", "unspecified launch failure",
    "context is destroyed", "uncorrectable", "driver shutting down", "unknown error",
)  # fmt: skip
"""Parts of the driver's words for what leaves no context to work with: pycuda gives the words, not the number."""
_FAREWELL_S = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class _Retained:
    """The primary context of a device, once a process: pycuda frees a thing only under the wrapper it was made under,
    so all worker threads share one. graves: allocations that nobody references any more."""

    cuda: Any
    number: int
    context: Any
    graves: SimpleQueue[Held] = field(default_factory=SimpleQueue)


_RETAINED: list[_Retained] = []


class Worker:
    """Runs functions one after the other, from any thread. Raises EngineError when the device cannot be opened."""

    def __init__(self, cuda: Any, number: int) -> None:
        self._cuda = cuda
        self._number = number
        self._lost = ""
        self._closed = False
        self._gate = threading.Lock()  # no job comes after the farewell
        self._at_hand = 0  # changed with the gate held
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._opened: Future[_Retained] = Future()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._live, name="gpu", daemon=True)
        self._thread.start()
        try:
            self._graves = self._opened.result().graves
        except cuda.Error as error:
            raise EngineError(f"no CUDA device {number}: {one_line(str(error), 200)}; check the driver") from None

    def run(self, function: Callable[[], Result]) -> Result:
        """The function's result; its exceptions come back. From the worker thread itself the function runs at once.

        Raises DeviceLost, NoDeviceMemory, or EngineError for every other error of CUDA.
        """
        if threading.current_thread() is self._thread:
            return self._guarded(function)
        answer: Future[Result] = Future()
        with self._gate:
            if self._closed:
                raise self._refusal()
            self._at_hand += 1
            self._jobs.put(partial(self._answer, function, answer))
        try:
            return answer.result()
        finally:
            with self._gate:
                self._at_hand -= 1
            del function, answer  # else an exception, whose traceback holds this frame, would hold itself

    def bury(self, held: Held) -> None:
        """Has the worker free what nobody references any more. Called by `__del__`, on any thread and in any place: it
        takes no lock."""
        if self._lost:
            _keep_for_ever(held)
            return
        self._graves.put(held)
        self._jobs.put(_nothing)

    @property
    def is_idle(self) -> bool:
        """Whether no function waits or runs."""
        return self._at_hand == 0

    @property
    def is_lost(self) -> bool:
        """Whether the context died."""
        return bool(self._lost)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Finishes the jobs at hand and ends the thread without a context; a second call does nothing."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._left.wait(_FAREWELL_S)

    def _live(self) -> None:
        try:
            retained = _retain(self._cuda, self._number)
            retained.context.push()
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(retained)
        self._work(retained.graves)
        try:
            self._cuda.Context.pop()
            self._left.set()
        except self._cuda.Error:
            # pycuda aborts the process when a thread ends with a context pushed. This context is dead and cannot be
            # popped, so the thread may not end before the process does.
            self._left.set()
            threading.Event().wait()

    def _work(self, graves: SimpleQueue[Held]) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # its results and what the function holds belong to the caller, not to a thread that waits
            self._empty(graves)
        self._empty(graves)

    def _answer(self, function: Callable[[], Result], answer: Future[Result]) -> None:
        try:
            answer.set_result(self._guarded(function))
        except BaseException as error:
            _let_go(error)
            answer.set_exception(error)
        finally:
            del function, answer  # as in `run`

    def _guarded(self, function: Callable[[], Result]) -> Result:
        if self._lost:
            raise self._refusal()
        try:
            return function()
        except self._cuda.Error as error:
            raise self._translated(error) from error

    def _refusal(self) -> EngineError:
        return DeviceLost(self._lost) if self._lost else EngineError("the GPU is closed; open it again")

    def _translated(self, error: Exception) -> EngineError:
        said = one_line(str(error), 200)
        if any(words in said for words in _DEADLY) or self._is_dead():
            self._lost = f"the CUDA device is lost ({said}); the process has to start anew"
            return DeviceLost(self._lost)
        if isinstance(error, self._cuda.MemoryError):
            return NoDeviceMemory(f"the device has no memory left ({said}); lower the batch or the frame size")
        return EngineError(f"CUDA failed: {said}")

    def _is_dead(self) -> bool:
        """A fault stays with its context: from then on every call answers it."""
        try:
            self._cuda.Context.synchronize()
        except self._cuda.Error:
            return True
        return False

    def _empty(self, graves: SimpleQueue[Held]) -> None:
        """Frees on this thread, which has the context."""
        while True:
            try:
                held = graves.get_nowait()
            except Empty:
                return
            if self._lost:
                _keep_for_ever(held)
            else:
                held.clear()


def _nothing() -> None:
    pass


def _retain(cuda: Any, number: int) -> _Retained:
    for known in _RETAINED:
        if known.cuda is cuda and known.number == number:
            return known
    cuda.init()
    retained = _Retained(cuda, number, cuda.Device(number).retain_primary_context())
    _RETAINED.append(retained)
    return retained


def _let_go(error: BaseException | None) -> None:
    """Empties the frames of a traceback: what they hold must not be freed by the thread that receives it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _keep_for_ever(held: Held) -> None:
    """In a dead context nothing can be freed: pycuda would print a warning for each attempt, here or at the exit."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
