"""A bounded queue between two stages: the newest wins and drops are counted, or (lossless) the giver waits."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Generic, TypeVar

from faceedge.batching import GREEDY, Batching

T = TypeVar("T")

BUSY_LOOK_S = 0.002
"""How often a batch that is not full asks whether the device has become idle."""


class Closed(Exception):
    """The channel is empty and nothing more will come."""


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T]):
    """One item. number: rises with every item put."""

    number: int
    since: float
    item: T


class Channel(Generic[T]):
    """Keys (a camera, a face before it) take turns, so that none waits for ever however many items another has.

    size: most items of one key that wait; most: of all keys together. lossless: `put` waits instead of dropping the
    oldest, and items leave in the order they came. batching: when a batch leaves. waited: told how long every item
    that is taken has waited, in seconds. lost: told, by the thread that puts, of every item that was dropped while
    nothing of its key waits any more.
    """

    def __init__(
        self,
        name: str,
        size: int,
        *,
        most: int = 64,
        lossless: bool = False,
        batching: Batching = GREEDY,
        waited: Callable[[str, float], None] = lambda _name, _seconds: None,
        lost: Callable[[T], None] = lambda _item: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.dropped = 0
        self.passed = 0
        self._size = size
        self._most = most
        self._lossless = lossless
        self._batching = batching
        self._waited = waited
        self._lost = lost
        self._clock = clock
        self._queues: OrderedDict[Hashable, deque[_Waiting[T]]] = OrderedDict()
        """By key, no empty ones; the key whose turn it is comes first."""
        self._count = 0
        self._since = 0.0
        """When the oldest that waits came, or the one whose place it took: newer ones must not begin the wait anew."""
        self._put = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, key: Hashable, item: T) -> None:
        """Adds an item; into a closed channel it vanishes, which is how a stop looks to the giver."""
        lost: list[T] = []
        with self._changed:
            while self._lossless and self._is_full(key) and not self._closed:
                self._changed.wait()
            if self._closed:
                return
            now = self._clock()
            self._since = self._since if self._count else now
            if self._is_full(key):
                lost = self._drop_oldest(key)
            self._put += 1
            self._count += 1
            self._queues.setdefault(key, deque()).append(_Waiting(self._put, now, item))
            self._changed.notify_all()
        for one in lost:
            self._lost(one)

    def take(self, most: int, timeout_s: float) -> list[T]:
        """1..most items, in the order they came, when a batch of them leaves; none when nothing came in time.

        Raises Closed at the end.
        """
        with self._changed:
            if not self._count and not self._closed:
                self._changed.wait(timeout_s)
            while not self._closed and self._count and not self._leaves(most):
                self._changed.wait(BUSY_LOOK_S)
            if not self._count and self._closed:
                raise Closed(self.name)
            now = self._clock()
            taken = sorted((self._next() for _ in range(min(most, self._count))), key=attrgetter("number"))
            self._since = min((queue[0].since for queue in self._queues.values()), default=now)
            self.passed += len(taken)
            self._changed.notify_all()
        for waiting in taken:
            self._waited(self.name, now - waiting.since)
        return [waiting.item for waiting in taken]

    def close(self, *, discard: bool = False) -> None:
        """No more items; those that wait are still taken unless `discard`."""
        with self._changed:
            self._closed = True
            if discard:
                self._queues.clear()
                self._count = 0
            self._changed.notify_all()

    def __len__(self) -> int:
        return self._count

    def _leaves(self, most: int) -> bool:
        return self._batching.leaves(self._count, most, self._clock() - self._since)

    def _is_full(self, key: Hashable) -> bool:
        return len(self._queues.get(key, ())) >= self._size or self._count >= self._most

    def _next(self) -> _Waiting[T]:
        """The oldest of the key whose turn it is, which then comes last."""
        key = self._oldest(self._queues) if self._lossless else next(iter(self._queues))
        waiting = self._queues[key].popleft()
        self._count -= 1
        if self._queues[key]:
            self._queues.move_to_end(key)
        else:
            del self._queues[key]
        return waiting

    def _drop_oldest(self, key: Hashable) -> list[T]:
        """Of this key, which keeps its turn; where it has room and only the whole is full, of those with most. The item
        if its key has nothing left."""
        victim = key
        if len(self._queues.get(key, ())) < self._size:
            longest = max(len(queue) for queue in self._queues.values())
            victim = self._oldest(owner for owner, queue in self._queues.items() if len(queue) == longest)
        dropped = self._queues[victim].popleft()
        self._count -= 1
        self.dropped += 1
        if victim == key or self._queues[victim]:
            return []
        del self._queues[victim]
        return [dropped.item]

    def _oldest(self, keys: Iterable[Hashable]) -> Hashable:
        return min(keys, key=lambda key: self._queues[key][0].number)
