"""Memory of the device and pinned memory of the host, as objects that any thread may drop: `cuda.Gpu` makes them.

What pycuda made lies in a list of one. The worker empties the list, whoever still holds it: so the thread with the
context is the one that frees, also when another dropped the last reference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Held = list[Any]
Bury = Callable[[Held], None]


class DeviceMemory:
    """A block in device memory. address: 0 once it was freed. `Gpu.free` gives it back at once, the worker soon after
    the last reference is dropped."""

    __slots__ = ("_bury", "_held", "address", "size")

    def __init__(self, allocation: Any, size: int, bury: Bury) -> None:
        self.address = int(allocation)
        self.size = size
        self._held: Held = [allocation]
        self._bury = bury

    def __index__(self) -> int:
        return self.address

    def free(self) -> None:
        """On the worker thread only; a second call does nothing."""
        self.address = self.size = 0
        if self._held:
            self._held.pop().free()

    def __del__(self) -> None:
        if self._held:
            self._bury(self._held)


class PinnedMemory:
    """What a pinned array stands on (its base, and that of all views): freed by the worker when the last is gone."""

    __slots__ = ("__array_interface__", "_bury", "_held")

    def __init__(self, array: Any, bury: Bury) -> None:
        self.__array_interface__: dict[str, Any] = dict(array.__array_interface__)
        self._held: Held = [array]
        self._bury = bury

    def __del__(self) -> None:
        self._bury(self._held)
