"""Segments side by side, their rows numbered through: exact scores, owners, and the next generation of segments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from faceedge.gallery.best import Owners, Places
from faceedge.gallery.metric import Exact, similarities
from faceedge.gallery.segment import Segment, merged
from faceedge.types import Floats

SMALL = 2048
GROWTH = 4  # a new segment takes in those before it that are not more than this many times its size


class Shelf:
    """Segments that do not change any more.

    alive: how many of their rows are still somebody's. is_small: few rows, in one piece without gaps.
    """

    def __init__(self, segments: Sequence[Segment] = ()) -> None:
        self.segments = tuple(segments)
        self._firsts = (0, *accumulate(map(len, self.segments)))
        self.alive = sum(segment.alive for segment in self.segments)
        self.is_small = len(self.segments) == 1 and self.alive == len(self) <= SMALL

    def __len__(self) -> int:
        """How many rows there are, those removed included."""
        return self._firsts[-1]

    def owners(self, rows: Places) -> Owners:
        """The owner of each row."""
        if len(self.segments) == 1:
            return self.segments[0].owners[rows]
        return np.concatenate([segment.owners for segment in self.segments])[rows]

    def exactly(self, queries: Floats, norms: Exact, metric: str, at: Places, rows: Places) -> Exact:
        """Scores in float64 of query at[i] and row rows[i]."""
        exact = queries.astype(np.float64)
        if len(self.segments) == 1:
            return _scores(self.segments[0], rows, exact, norms, metric, at)
        scores = np.empty(len(rows))
        for segment, first in zip(self.segments, self._firsts, strict=False):
            mine = np.flatnonzero((rows >= first) & (rows < first + len(segment)))
            scores[mine] = _scores(segment, rows[mine] - first, exact, norms, metric, at[mine])
        return scores

    def changed(self, leaving: Owners, arriving: Segment | None) -> Shelf:
        """Without the rows of some, and with those of others. What is large and stays is not copied."""
        kept = [segment for segment in (one.without(leaving) for one in self.segments) if segment.alive]
        tidy = [one if 2 * one.alive >= len(one) else merged([one]) for one in kept]
        if arriving is not None:
            joining = [arriving]
            while tidy and tidy[-1].alive <= GROWTH * sum(one.alive for one in joining):
                joining.insert(0, tidy.pop())
            tidy.append(merged(joining) if len(joining) > 1 else arriving)
        return Shelf(tidy)


def _scores(segment: Segment, rows: Places, exact: Exact, norms: Exact, metric: str, at: Places) -> Exact:
    cosines = segment.cosines(rows, exact, at)
    return similarities(cosines, segment.norms[rows].astype(np.float64), norms[at], metric)
