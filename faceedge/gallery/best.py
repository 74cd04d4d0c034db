"""Who may still be among the best: rows come in chunks with bounds, a bar rises, what cannot reach it is forgotten."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats

Places = NDArray[np.intp]
Owners = NDArray[np.int32]


class Best:
    """Of each of m queries the `count` best owners so far, by what their scores are at least.

    bars: float32 (m,). At least `count` different owners score that much, so a row that cannot is out.
    """

    def __init__(self, queries: int, count: int) -> None:
        self.bars = np.full(queries, -np.inf, np.float32)
        self._count = count
        self._leaders: Owners = np.zeros((queries, 0), np.int32)
        self._least: Floats = np.zeros((queries, 0), np.float32)
        self._held: list[tuple[Places, Places, Floats]] = []

    def offer(self, first: int, owners: Owners, scores: Floats, allowed: Floats, unit: Floats) -> None:
        """A chunk of rows from number `first` on: roughly their scores, at most `allowed` off.

        owners: int32 (c,). scores: float32 (m, c). allowed, unit: float32 (m,). Both are multiples of unit.
        """
        asking = np.flatnonzero((scores.max(axis=1) + allowed) * unit >= self.bars)
        if len(asking) == 0:
            return
        if len(asking) < len(scores):
            scores, allowed, unit = scores[asking], allowed[asking], unit[asking]
        leaders, least = leading(owners[None], scores, self._count)
        self._raise(asking, leaders, (least - allowed[:, None]) * unit[:, None])
        places = np.flatnonzero(scores >= (self.bars[asking] / unit - allowed)[:, None])
        at, column = np.divmod(places, scores.shape[1])
        self._held.append((asking[at], column + first, (scores.ravel()[places] + allowed[at]) * unit[at]))

    def rows(self) -> tuple[Places, Places]:
        """Query and row number of everything that may be among the best, rows of a query in their order."""
        if len(self._held) == 1:
            return self._held[0][:2]
        queries, rows, highest = (np.concatenate(part) for part in zip(*self._held, strict=True))
        left = highest >= self.bars[queries]
        return queries[left], rows[left]

    def _raise(self, asking: Places, leaders: Owners, least: Floats) -> None:
        if self._least.shape[1]:
            both = np.hstack((self._leaders[asking], leaders)), np.hstack((self._least[asking], least))
            leaders, least = leading(*both, self._count)
            self._leaders[asking], self._least[asking] = leaders, least
        else:
            self._leaders, self._least = leaders, least
        self.bars[asking] = least[:, -1]


def leading(owners: Owners, scores: Floats, count: int) -> tuple[Owners, Floats]:
    """The `count` best of different owners in each line, best first; -inf where there are no more.

    owners: (m, c) or (1, c). scores: float32 (m, c).
    """
    lines = np.arange(len(scores))
    who = lines if len(owners) > 1 else 0
    leaders = np.empty((len(scores), count), np.int32)
    best = np.empty((len(scores), count), np.float32)
    for place in range(count):
        at = scores.argmax(axis=1)
        leaders[:, place], best[:, place] = owners[who, at], scores[lines, at]
        if place + 1 < count:
            scores = scores if place else scores.copy()
            np.copyto(scores, -np.inf, where=owners == leaders[:, place, None])
    return leaders, best


def level(owners: Owners, scores: Floats, count: int) -> float:
    """What the `count` best of different owners reach at least, -inf when there are not so many. Both (c,)."""
    for _ in range(count - 1):
        others = owners != owners[scores.argmax()]
        owners, scores = owners[others], scores[others]
        if len(scores) == 0:
            return -np.inf
    return float(scores.max())
