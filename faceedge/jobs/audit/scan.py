"""Every template of a space held against every other, block by block, in bounded memory: all there is to know of them.

Of all scores the histogram is kept, of impostors also the highest pairs, up to `MOST_PAIRS`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.gallery.base import Templates
from faceedge.jobs.audit.findings import Histogram
from faceedge.types import Floats

Numbers: TypeAlias = NDArray[np.int64]
Scores: TypeAlias = NDArray[np.float64]
Tell = Callable[[float], None]

MOST_PAIRS = 4_000_000
"""Impostor pairs that are kept one by one, the highest: 64 MB."""
ROWS, COLUMNS = 1024, 4096
BINS = 800
_FEW, _MANY, _AT_ONCE = 4_000, 100_000, 4_096
"""Impostor pairs drawn to see how far scores reach, and from where the highest are to be kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Templates of one space, those of one person side by side.

    order: of each row in what the gallery gave. people: ids by number; owner: int64 (n,), the number of each row;
    starts: int64 (people,), where each begins; counts: likewise, how many there are. vectors: float32 (n, d), and
    offsets: float32 (n,), such that the score of two rows is the product of their vectors plus both offsets.
    """

    order: Numbers
    people: tuple[str, ...]
    owner: Numbers
    starts: Numbers
    counts: Numbers
    vectors: Floats
    offsets: Floats

    @classmethod
    def of(cls, templates: Templates, metric: str) -> Faces:
        """metric: `cosine`, or `euclidean`, 1 - |A-B|²/2 of the vectors before normalisation."""
        names, owner = np.unique(np.array(templates.persons, dtype=np.str_), return_inverse=True)
        order = np.argsort(owner, kind="stable")
        owner = owner[order].astype(np.int64)
        vectors, norms = templates.embeddings[order], templates.norms[order].astype(np.float32)
        offsets = np.zeros(len(order), np.float32)
        if metric == "euclidean":
            vectors, offsets = vectors * norms[:, None], np.asarray((1 - norms**2) / 2, np.float32)
        counts = np.bincount(owner, minlength=len(names)).astype(np.int64)
        starts = np.searchsorted(owner, np.arange(len(names))).astype(np.int64)
        ids = tuple(map(str, names))
        return cls(order, ids, owner, starts, counts, np.ascontiguousarray(vectors, np.float32), offsets)

    def __len__(self) -> int:
        """How many templates there are."""
        return len(self.owner)

    @property
    def impostors(self) -> int:
        """How many pairs of templates are of two people."""
        return (len(self) ** 2 - int((self.counts**2).sum())) // 2

    def scores(self, rows: slice | Numbers, columns: slice | Numbers) -> Floats:
        """float32 (rows, columns)."""
        products: Floats = np.asarray(self.vectors[rows] @ self.vectors[columns].T, np.float32)
        products += self.offsets[rows][:, None]
        products += self.offsets[columns][None, :]
        return products

    def paired(self, rows: Numbers, columns: Numbers) -> Floats:
        """float32 (n,), row by row."""
        products = np.einsum("ij,ij->i", self.vectors[rows], self.vectors[columns])
        return np.asarray(products + self.offsets[rows] + self.offsets[columns], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Highest:
    """The impostor pairs at `floor` and above, highest first: rows and scores. Those below are only counted."""

    floor: float
    one: Numbers
    other: Numbers
    scores: Scores


@dataclass(frozen=True, slots=True, eq=False)
class Scanned:
    """own, other: float64 (n,), the best score of each row with its person's others and with anybody else's, NaN where
    there are none; nearest: int64 (n,), the row that the latter is with, -1 where there is none."""

    faces: Faces
    own: Scores
    other: Scores
    nearest: Numbers
    highest: Highest
    histogram: Histogram


def scan(faces: Faces, tell: Tell) -> Scanned:
    """Holds every two templates against each other. tell: is told the share done, 0..1."""
    count = len(faces)
    other, nearest = np.full(count, -np.inf, np.float32), np.full(count, -1, np.int64)
    tally, keeper = _Tally(faces), _Keeper(faces)
    done = 0
    for rows, columns in blocks(count):
        scores = faces.scores(rows, columns)
        is_mixed = columns.start < rows.stop or faces.owner[columns.start] == faces.owner[rows.stop - 1]
        if is_mixed:
            _blank(scores, faces, rows, columns)
        _raise(other, nearest, rows, columns, scores, 1)
        _raise(other, nearest, columns, rows, scores, 0)
        tally.add(scores[np.isfinite(scores)] if is_mixed else scores.ravel())
        keeper.add(scores, rows.start, columns.start)
        done += scores.size
        tell(min(1.0, 2 * done / max(count * count, 1)))
    own = _own(faces, tally)
    return Scanned(
        faces, own, np.where(nearest >= 0, other, np.nan).astype(np.float64), nearest, keeper.kept(), tally.histogram
    )


def blocks(count: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the upper triangle, blocks on the diagonal whole."""
    for row in range(0, count, ROWS):
        for column in range(row, count, COLUMNS):
            yield slice(row, min(row + ROWS, count)), slice(column, min(column + COLUMNS, count))


def _blank(scores: Floats, faces: Faces, rows: slice, columns: slice) -> None:
    """Takes out what is of one person, and what lies below the diagonal."""
    scores[faces.owner[rows][:, None] == faces.owner[columns][None, :]] = -np.inf
    if columns.start < rows.stop:
        scores[np.arange(rows.start, rows.stop)[:, None] >= np.arange(columns.start, columns.stop)[None, :]] = -np.inf


def _raise(other: Floats, nearest: Numbers, these: slice, those: slice, scores: Floats, axis: int) -> None:
    """Where a row of `these` has found one of `those` that is nearer than what it had."""
    best = scores.argmax(axis=axis)
    value = np.take_along_axis(scores, np.expand_dims(best, axis), axis).ravel()
    better = value > other[these]
    other[these][better] = value[better]
    nearest[these][better] = best[better] + those.start


def _own(faces: Faces, tally: _Tally) -> Scores:
    own = np.full(len(faces), np.nan)
    for start, count in zip(faces.starts[faces.counts > 1], faces.counts[faces.counts > 1], strict=True):
        for first in range(start, start + count, ROWS):
            rows, everything = slice(first, min(first + ROWS, start + count)), slice(start, start + count)
            scores = faces.scores(rows, everything)
            itself = np.arange(rows.start - start, rows.stop - start)
            later = np.arange(count)[None, :] > itself[:, None]
            tally.add(scores[later], is_genuine=True)
            scores[np.arange(len(itself)), itself] = -np.inf
            own[rows] = scores.max(axis=1)
    return own


class _Tally:
    """Histograms of all scores."""

    def __init__(self, faces: Faces) -> None:
        low = float(min(_sampled(faces, _FEW).min(initial=0.0), -0.2)) - 0.1
        self._low, self._steps = low, BINS / (1.0 - low)
        edges = np.linspace(low, 1.0, BINS + 1)
        self.histogram = Histogram(edges, np.zeros(BINS, np.int64), np.zeros(BINS, np.int64))

    def add(self, scores: Floats, *, is_genuine: bool = False) -> None:
        places = ((scores - np.float32(self._low)) * np.float32(self._steps)).astype(np.int32)
        counts = self.histogram.genuine if is_genuine else self.histogram.impostors
        counts += np.bincount(np.clip(places, 0, BINS - 1), minlength=BINS)


class _Keeper:
    """The highest impostor pairs, of which there may be too many: then the floor rises."""

    def __init__(self, faces: Faces) -> None:
        self._floor = -np.inf
        if faces.impostors > MOST_PAIRS:
            self._floor = float(np.quantile(_sampled(faces, _MANY), 1 - 0.7 * MOST_PAIRS / faces.impostors))
        self._parts: list[tuple[Numbers, Numbers, Floats]] = []
        self._count = 0

    def add(self, scores: Floats, row: int, column: int) -> None:
        one, other = np.nonzero((scores >= self._floor) & np.isfinite(scores))
        if not len(one):
            return
        self._parts.append(((one + row).astype(np.int32), (other + column).astype(np.int32), scores[one, other]))
        self._count += len(one)
        if self._count > MOST_PAIRS:
            self._rise()

    def kept(self) -> Highest:
        one, other, scores = self._joined()
        falling = np.argsort(-scores, kind="stable")
        return Highest(
            self._floor,
            one[falling].astype(np.int64),
            other[falling].astype(np.int64),
            scores[falling].astype(np.float64),
        )

    def _rise(self) -> None:
        one, other, scores = self._joined()
        self._floor = float(np.partition(scores, len(scores) // 2)[len(scores) // 2])
        stay = scores >= self._floor
        self._parts = [(one[stay], other[stay], scores[stay])]
        self._count = int(stay.sum())

    def _joined(self) -> tuple[Numbers, Numbers, Floats]:
        none = (np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
        one, other, scores = (np.concatenate(part) for part in zip(none, *self._parts, strict=True))
        return one, other, scores


def _sampled(faces: Faces, count: int) -> Floats:
    """Scores of impostor pairs drawn by a fixed seed; none where there are no two people."""
    if faces.impostors == 0:
        return np.zeros(0, np.float32)
    one, other = np.random.default_rng(0).integers(0, len(faces), (2, count))
    strange = faces.owner[one] != faces.owner[other]
    one, other = one[strange], other[strange]
    parts = [slice(at, at + _AT_ONCE) for at in range(0, len(one), _AT_ONCE)]
    return np.concatenate([faces.paired(one[part], other[part]) for part in parts] or [np.zeros(0, np.float32)])
