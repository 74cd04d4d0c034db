"""Memory of the device and pinned memory of the host, as objects that any thread may drop: `cuda.Gpu` makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bury = Callable[[object], None]


class DeviceMemory:
    """A block in device memory. address: 0 once it was freed. `Gpu.free` gives it back at once, the last reference
    soon after it is dropped."""

    __slots__ = ("_allocation", "_bury", "address", "size")

    def __init__(self, allocation: Any, size: int, bury: Bury) -> None:
        self.address = int(allocation)
        self.size = size
        self._allocation: Any = allocation
        self._bury = bury

    def __index__(self) -> int:
        return self.address

    def free(self) -> None:
        """On the worker thread only; a second call does nothing."""
        allocation, self._allocation, self.address, self.size = self._allocation, None, 0, 0
        if allocation is not None:
            allocation.free()

    def __del__(self) -> None:
        if self._allocation is not None:
            self._bury(self._allocation)


class PinnedMemory:
    """What a pinned array stands on (its base, and that of all views): freed by the worker when the last is gone."""

    __slots__ = ("__array_interface__", "_array", "_bury")

    def __init__(self, array: Any, bury: Bury) -> None:
        self.__array_interface__: dict[str, Any] = dict(array.__array_interface__)
        self._array = array
        self._bury = bury

    def __del__(self) -> None:
        self._bury(self._array)
