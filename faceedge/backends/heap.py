"""What the C library does with freed memory. Engines live by large blocks that come and go with the size of a batch."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LIBC = ctypes.CDLL(None)
_MMAP_THRESHOLD = -3  # of glibc's malloc.h
APART, TOGETHER = 1 << 20, 8 << 20
"""Bytes from which a block is a mapping of its own: inside `large_blocks_apart`, and after it was used first. A picture
of 1920x1080 stays below the latter: mapping one anew for each frame costs time."""

_lock = threading.Lock()
_inside: list[None] = []


@contextmanager
def large_blocks_apart() -> Iterator[None]:
    """What any thread allocates meanwhile goes back to the system the moment it is freed, when it is large.

    glibc takes smaller blocks from a heap that belongs to one thread. The free end of such a heap is not given back,
    not by `malloc_trim` either: of the memory that half a batch less needs, a small network would keep all. Other C
    libraries lack the call.
    """
    with _lock:
        _inside.append(None)
        _map_from(APART)
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                _map_from(TOGETHER)


def _map_from(size: int) -> None:
    tune = getattr(_LIBC, "mallopt", None)
    if tune is not None:
        tune(_MMAP_THRESHOLD, size)


def return_freed_memory() -> None:
    """glibc keeps freed blocks for itself: without this a process that opens and closes an engine again and again
    wanders by tens of megabytes. Other C libraries lack the call."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)
