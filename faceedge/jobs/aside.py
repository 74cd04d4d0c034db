"""Work that can wait, in a thread of its own beside a door that cannot."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

NICE = 5
"""As the process that checks packages (`models/child.py`)."""


def aside(work: Callable[[], T]) -> T:
    """What `work` gives, or raises. It gets a processor after the threads of the door, and so do threads and processes
    that it starts: so nothing may be opened in it that goes on to serve. What engines keep for every thread that asks
    them goes with it. Work that hangs keeps no process from ending.
    """
    answer: Future[T] = Future()
    thread = threading.Thread(target=_work, args=(work, answer), name="aside", daemon=True)
    thread.start()
    try:
        return answer.result()
    finally:
        thread.join()
        del answer  # which holds what was raised, and that this frame


def _work(work: Callable[[], T], answer: Future[T]) -> None:
    _step_back()
    try:
        found = work()
    except BaseException as error:
        answer.set_exception(error)
        del answer
    else:
        answer.set_result(found)


def _step_back() -> None:
    with suppress(OSError):  # Linux sets it for one thread alone
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, max(NICE, os.getpriority(os.PRIO_PROCESS, own)))
