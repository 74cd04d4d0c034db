"""Work that can wait, in a thread of its own beside a door that cannot."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

NICE = 5
"""As the process that checks packages (`models/child.py`)."""


def aside(work: Callable[[], T]) -> T:
    """What `work` gives, or raises. It gets a processor after the threads of the door, and so do threads and processes
    that it starts: so nothing may be opened in it that goes on to serve. What engines keep for every thread that asks
    them goes with it.
    """
    with ThreadPoolExecutor(1, "aside", _step_back) as threads:
        return threads.submit(work).result()


def _step_back() -> None:
    with suppress(OSError):  # Linux sets it for one thread alone
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, max(NICE, os.getpriority(os.PRIO_PROCESS, own)))
