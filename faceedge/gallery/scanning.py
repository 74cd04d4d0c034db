"""The rows of some segments that may be among the best: every chunk looked at once, by its bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceedge.gallery.best import Best, Places, level
from faceedge.gallery.coarse import CHUNK, VANISHING, float_error
from faceedge.gallery.metric import rough
from faceedge.gallery.segment import GONE, Segment
from faceedge.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What is looked for. queries: float32 (m, d). norms: float32 (m,). per_row: best rows, not owners."""

    queries: Floats
    norms: Floats
    metric: str
    count: int
    per_row: bool


def promising(segments: Sequence[Segment], wish: Wish) -> tuple[Places, Places]:
    """Query and row of all that can be among the `count` best; rows are numbered through all segments."""
    best = Best(len(wish.queries), wish.count)
    first = 0
    for segment in segments:
        _look(segment, first, wish, best)
        first += len(segment)
    return best.rows()


def _look(segment: Segment, first: int, wish: Wish, best: Best) -> None:
    question = segment.scan.ask(wish.queries)
    for start, loosest in zip(range(0, len(segment), CHUNK), segment.scan.loosest, strict=True):
        part = slice(start, min(start + CHUNK, len(segment)))
        scores, allowed, unit = question.products(part), question.base + question.rate * loosest, question.unit
        if wish.metric != "cosine":
            scores, allowed = rough(scores, allowed, wish.norms, wish.norms * unit, segment.norms[part])
            unit = np.ones_like(unit)
        owners = segment.owners[part]
        if segment.alive < len(segment):
            scores[:, owners == GONE] = -np.inf
        if wish.per_row:
            owners = np.arange(first + part.start, first + part.stop, dtype=np.int32)
        best.offer(first + start, owners, scores, allowed, unit)


def promising_of_few(segment: Segment, query: Floats, norm: float, metric: str, count: int) -> Places:
    """The same for one query and a segment of one chunk without gaps: products in float32, and little else to do."""
    products = np.vecdot(segment.embeddings, query)
    off = float_error(len(query)) * (math.sqrt(np.vecdot(query, query)) + VANISHING) * (segment.longest + VANISHING)
    if metric == "cosine":
        return np.flatnonzero(products >= level(segment.owners, products, count) - 2 * off)
    asked = np.array([norm], np.float32)
    scores, allowed = rough(products[None], np.array([off], np.float32), asked, asked, segment.norms)
    return np.flatnonzero(scores[0] >= level(segment.owners, scores[0], count) - 2 * allowed[0])
