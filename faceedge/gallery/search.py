"""How alike two templates are, and who of the gallery is nearest: exact, at the price of a rough look at every row."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import FaceedgeError
from faceedge.gallery.base import Templates
from faceedge.gallery.best import Owners, Places
from faceedge.gallery.metric import METRICS, Exact, check_metric, similarities
from faceedge.gallery.scanning import Wish, promising, promising_of_few
from faceedge.gallery.segment import GONE, LONGEST, Segment
from faceedge.gallery.shelf import Shelf
from faceedge.types import Floats, Template

__all__ = ["METRICS", "Index", "similarity"]

SHORTEST = 1e-20  # far below any query: one step of a query's int8 codes, and its reciprocal, are float32 numbers
FEW = 48  # rows below which all of them are computed at once
LISTED = 64  # persons above which nothing is gained by looking roughly first

Ranked = list[tuple[str, float]]


def similarity(a: Template, b: Template, metric: str) -> float:
    """1 is identical. metric: `cosine` or `euclidean`. Raises FaceedgeError when the spaces differ."""
    _check_space(a.space, b.space)
    check_metric(metric)
    cosine = np.vecdot(a.embedding.astype(np.float64), b.embedding.astype(np.float64))
    return float(similarities(np.asarray(cosine), np.float64(a.norm), np.float64(b.norm), metric))


class Index:
    """Every template of a gallery, ready to be searched. Never changes, so any number of threads may ask.

    A changed gallery is another index, which shares the memory of what stayed (`replaced`).
    """

    def __init__(self, persons: Sequence[str], embeddings: Floats, norms: Floats, metric: str, space: str) -> None:
        """persons: the person of each row. embeddings: float32 (n, d), unit norm. norms: float32 (n,), before it.

        Raises FaceedgeError when the metric is not known or a template is not a vector of about unit length.
        """
        check_metric(metric)
        self.metric = metric
        self.space = space
        self._numbers: dict[str, int] = {}
        owners = _numbered(persons, self._numbers)
        self._shelf = Shelf([Segment.of(embeddings, norms, owners)] if len(owners) else [])
        self._names = tuple(self._numbers)

    @classmethod
    def of(cls, templates: Templates, metric: str) -> Index:
        """The index of what a gallery gave."""
        return cls(templates.persons, templates.embeddings, templates.norms, metric, templates.space)

    def __len__(self) -> int:
        """How many templates there are."""
        return self._shelf.alive

    @property
    def persons(self) -> tuple[str, ...]:
        """Everybody who has a template, by id."""
        there = {owner for segment in self._shelf.segments for owner in np.unique(segment.owners).tolist()}
        return tuple(sorted(self._names[owner] for owner in there if owner != GONE))

    def replaced(self, persons: Collection[str], templates: Templates) -> Index:
        """Another index in which these persons have just these templates; without templates they are gone.

        templates: only of these persons. This index stays as it is. Raises FaceedgeError as the constructor does.
        """
        _check_space(self.space, templates.space)
        numbers = dict(self._numbers)
        leaving = np.array([numbers[person] for person in persons if person in numbers], np.int32)
        owners = _numbered(templates.persons, numbers)
        arriving = Segment.of(templates.embeddings, templates.norms, owners) if len(owners) else None
        changed = copy.copy(self)
        changed._numbers, changed._names = numbers, tuple(numbers)
        changed._shelf = self._shelf.changed(leaving, arriving)
        return changed

    def nearest(self, template: Template, count: int | None = None) -> Ranked:
        """The `count` nearest persons (all of them without it), nearest first, each by its best template.

        Of equals the lower id comes first. Raises FaceedgeError when the template is of another space.
        """
        if count is None or not self._shelf.is_small or not 0 < count <= LISTED:
            return self.nearest_of_each([template], count)[0]
        _check_space(self.space, template.space)
        query = np.asarray(template.embedding, np.float32)[None]
        if not _is_plain(query, np.array([template.norm])):
            return self.nearest_of_each([template], count)[0]
        return self._nearest_of_few(query, template.norm, count)

    def nearest_of_each(self, templates: Sequence[Template], count: int | None = None) -> list[Ranked]:
        """The same for many templates at once, which costs less than one by one."""
        for template in templates:
            _check_space(self.space, template.space)
        if not templates or not len(self):
            return [[] for _ in templates]
        queries = np.array([template.embedding for template in templates], np.float32)
        norms = np.array([template.norm for template in templates])
        count = len(self._names) if count is None else count
        at, rows, scores = self._compared(queries, norms, count, per_row=False)
        owners = self._shelf.owners(rows)
        ends = np.searchsorted(at, np.arange(len(queries) + 1)).tolist()
        pairs = list(zip(owners.tolist(), scores.tolist(), strict=True))
        return [self._named(pairs[start:end], count) for start, end in pairwise(ends)]

    def _nearest_of_few(self, query: Floats, norm: float, count: int) -> Ranked:
        (segment,) = self._shelf.segments
        rows = promising_of_few(segment, query[0], norm, self.metric, count)
        scores = self._shelf.exactly(query, np.array([norm]), self.metric, np.zeros(len(rows), np.intp), rows)
        pairs = zip(segment.owners[rows].tolist(), scores.tolist(), strict=True)
        return self._named(sorted(pairs, key=lambda pair: -pair[1]), count)

    def top(self, queries: Floats, norms: Floats, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """The `count` nearest templates: scores float32 (m, k) and rows int64 (m, k), nearest first.

        queries: float32 (m, d), unit norm. norms: float32 (m,). k: count, or how many templates there are. Rows are
        numbered in the order in which they were given to the constructor; of equals the lower comes first. After
        `replaced` the numbers are others.
        """
        count = min(count, len(self))
        at, rows, scores = self._compared(queries, norms.astype(np.float64), count, per_row=True)
        best = np.searchsorted(at, np.arange(len(queries)))[:, None] + np.arange(count)
        return scores[best].astype(np.float32), rows[best].astype(np.int64)

    def _compared(self, queries: Floats, norms: Exact, count: int, *, per_row: bool) -> tuple[Places, Places, Exact]:
        """Query, row and exact score of every pair that may count, best first within a query."""
        if len(self._shelf) <= FEW or not 0 < count <= LISTED or not _is_plain(queries, norms):
            at, rows = np.divmod(np.arange(len(self._shelf) * len(queries)), max(1, len(self._shelf)))
        else:
            wish = Wish(queries, norms.astype(np.float32), self.metric, count, per_row)
            at, rows = promising(self._shelf.segments, wish)
        if self._shelf.alive < len(self._shelf):
            alive = self._shelf.owners(rows) != GONE
            at, rows = at[alive], rows[alive]
        scores = self._shelf.exactly(queries, norms, self.metric, at, rows)
        order = np.lexsort((-scores, at))  # stable: of equals the lower row stays first
        return at[order], rows[order], scores[order]

    def _named(self, pairs: Iterable[tuple[int, float]], count: int) -> Ranked:
        """From owners and scores of rows, best first. Persons level with the last are weighed against it by id."""
        best: dict[int, float] = {}
        last = np.inf
        for owner, score in pairs:
            if score < last and len(best) >= count:
                break
            if owner not in best:
                best[owner] = last = score
        ranked = [(self._names[owner], score) for owner, score in best.items()]
        if len(set(best.values())) < len(best):
            ranked.sort(key=lambda one: (-one[1], one[0]))
        return ranked[:count]


def _numbered(persons: Iterable[str], numbers: dict[str, int]) -> Owners:
    """The number of each person; who is new gets the next one."""
    return np.array([numbers.setdefault(person, len(numbers)) for person in persons], np.int32)


def _is_plain(queries: Floats, norms: Exact) -> bool:
    """Whether bounds hold for these queries: no number that is none, no norm negative, nothing huge or next to zero."""
    largest = np.abs(queries).max(axis=1)
    return bool(SHORTEST < largest.min() <= largest.max() < LONGEST and 0 <= norms.min() <= norms.max() < LONGEST)


def _check_space(a: str, b: str) -> None:
    if a != b:
        raise FaceedgeError(
            f"templates of different spaces ({a}, {b}) cannot be compared; enrol with the active models"
        )
