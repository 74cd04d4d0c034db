"""One block of device memory that all networks of a process use in turn: their activations, inputs and outputs.

Every network says what it needs for the shapes at hand and gets the block, which moves when it grows or shrinks.
All of it runs on the GPU thread, where one run is over before the next begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from faceedge.backends.cuda import Gpu
from faceedge.backends.cuda_memory import DeviceMemory

_STEP = 64 * 1024
"""Sizes are whole steps, so that shapes that differ by little do not move the block."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Where the arena is. Who was given an older one has to tell TensorRT the new address before the next run."""

    memory: DeviceMemory
    address: int
    size: int


class Arena:
    """As large as the neediest of its users asks. A user is any object; it is forgotten when nobody holds it."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._needs: WeakKeyDictionary[object, int] = WeakKeyDictionary()
        self._block: Block | None = None

    @property
    def size(self) -> int:
        """Bytes held at this moment, for any thread to read."""
        block = self._block
        return block.size if block else 0

    def need_of(self, user: object) -> int:
        """The most that `user` asked for since it was trimmed; any thread may ask."""
        return self._needs.get(user, 0)

    def hold(self, user: object, need: int) -> Block:
        """A block of at least `need` bytes, aligned to 256. Raises NoDeviceMemory; the arena is empty then, until
        somebody asks for less."""
        before = self._needs.get(user, 0)
        try:
            return self._fitting(user, max(need, before), shrink=False)
        except BaseException:
            self._needs[user] = before
            raise

    def trim(self, user: object, need: int) -> Block:
        """As `hold`, and what `user` needed before no longer counts: what nobody needs is given back."""
        return self._fitting(user, need, shrink=True)

    def leave(self, user: object) -> None:
        """The user needs nothing any more."""
        self._needs.pop(user, None)
        if self._needs:
            self._sized(shrink=True)
        else:
            self._free()

    def _fitting(self, user: object, need: int, *, shrink: bool) -> Block:
        self._needs[user] = need
        return self._sized(shrink=shrink)

    def _sized(self, *, shrink: bool) -> Block:
        size = max(1, -(-max(self._needs.values()) // _STEP)) * _STEP
        if self._block is not None and (self._block.size == size or (self._block.size > size and not shrink)):
            return self._block
        self._free()  # before the new one comes: there may not be room for both, and nothing in it outlives a run
        memory = self._gpu.alloc(size)
        self._block = Block(memory, memory.address, size)
        return self._block

    def _free(self) -> None:
        block, self._block = self._block, None
        if block is not None:
            self._gpu.free(block.memory)
