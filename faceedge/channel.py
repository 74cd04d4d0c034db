"""A bounded queue between two stages: the newest wins and drops are counted, or (lossless) the giver waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from faceedge.batching import GREEDY, Batching

T = TypeVar("T")

BUSY_LOOK_S = 0.002
"""How often a batch that is not full asks whether the device has become idle."""


class Closed(Exception):
    """The channel is empty and nothing more will come."""


class Channel(Generic[T]):
    """size: most items of one key (a camera) that wait; lossless: `put` waits instead of dropping the oldest.

    batching: when a batch leaves. waited: told how long every item that is taken has waited, in seconds.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        lossless: bool = False,
        batching: Batching = GREEDY,
        waited: Callable[[str, float], None] = lambda _name, _seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.dropped = 0
        self.passed = 0
        self._size = size
        self._lossless = lossless
        self._batching = batching
        self._waited = waited
        self._clock = clock
        self._items: deque[tuple[str, float, T]] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, key: str, item: T) -> None:
        """Adds an item; into a closed channel it vanishes, which is how a stop looks to the giver."""
        with self._changed:
            while self._lossless and self._count(key) >= self._size and not self._closed:
                self._changed.wait()
            if self._closed:
                return
            if self._count(key) >= self._size:
                self._drop_oldest(key)
            self._items.append((key, self._clock(), item))
            self._changed.notify_all()

    def take(self, most: int, timeout_s: float) -> list[T]:
        """1..most items, oldest first, when a batch of them leaves; none when nothing came in time.

        Raises Closed at the end.
        """
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout_s)
            while not self._closed and self._items and not self._leaves(most):
                self._changed.wait(BUSY_LOOK_S)
            if not self._items and self._closed:
                raise Closed(self.name)
            now = self._clock()
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            self.passed += len(taken)
            self._changed.notify_all()
        for _, since, _item in taken:
            self._waited(self.name, now - since)
        return [item for _, _, item in taken]

    def close(self, *, discard: bool = False) -> None:
        """No more items; those that wait are still taken unless `discard`."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    def _leaves(self, most: int) -> bool:
        return self._batching.leaves(len(self._items), most, self._clock() - self._items[0][1])

    def _count(self, key: str) -> int:
        return sum(1 for owner, _, _ in self._items if owner == key)

    def _drop_oldest(self, key: str) -> None:
        index = next(at for at, (owner, _, _) in enumerate(self._items) if owner == key)
        del self._items[index]
        self.dropped += 1
