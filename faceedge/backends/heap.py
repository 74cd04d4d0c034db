"""Hands memory that was freed back to the system. Called by engines when they close or are trimmed."""

from __future__ import annotations

import ctypes

_LIBC = ctypes.CDLL(None)


def return_freed_memory() -> None:
    """glibc keeps freed blocks for itself: without this a process that opens and closes an engine again and again
    wanders by tens of megabytes. Other C libraries lack the call."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:
        trim(0)
