"""A bounded queue between two stages: the newest wins and drops are counted, or (lossless) the giver waits."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The channel is empty and nothing more will come."""


class Channel(Generic[T]):
    """size: most items of one key (a camera) that wait; lossless: `put` waits instead of dropping the oldest."""

    def __init__(self, name: str, size: int, *, lossless: bool = False) -> None:
        self.name = name
        self.dropped = 0
        self.passed = 0
        self._size = size
        self._lossless = lossless
        self._items: deque[tuple[str, T]] = deque()
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
            self._items.append((key, item))
            self._changed.notify_all()

    def take(self, most: int, timeout_s: float) -> list[T]:
        """1..most items, oldest first; none when nothing came in time. Raises Closed at the end."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout_s)
            if not self._items and self._closed:
                raise Closed(self.name)
            taken = [self._items.popleft()[1] for _ in range(min(most, len(self._items)))]
            self.passed += len(taken)
            self._changed.notify_all()
            return taken

    def close(self, *, discard: bool = False) -> None:
        """No more items; those that wait are still taken unless `discard`."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._items)

    def _count(self, key: str) -> int:
        return sum(1 for owner, _ in self._items if owner == key)

    def _drop_oldest(self, key: str) -> None:
        index = next(at for at, (owner, _) in enumerate(self._items) if owner == key)
        del self._items[index]
        self.dropped += 1
