"""How alike two templates are, and who of the gallery is nearest: exact, one matrix product a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import FaceedgeError
from faceedge.gallery.base import Templates
from faceedge.types import Floats, Template

METRICS = ("cosine", "euclidean")
Scores: TypeAlias = NDArray[np.float64]


def similarity(a: Template, b: Template, metric: str) -> float:
    """1 is identical. metric: `cosine` or `euclidean`. Raises FaceedgeError when the spaces differ."""
    _check_space(a.space, b.space)
    _check_metric(metric)
    return float(_similarities(a.embedding[None, :], np.array([a.norm]), b, metric)[0])


class Index:
    """Every template of a gallery, ready to be searched. Never changes, so any number of threads may ask.

    persons: the person of each row. embeddings: float32 (n, d), unit norm. norms: float32 (n,), before normalisation.
    """

    def __init__(self, persons: Sequence[str], embeddings: Floats, norms: Floats, metric: str, space: str) -> None:
        _check_metric(metric)
        self.metric = metric
        self.space = space
        names, self._starts, order = _grouped(persons)
        self.persons: tuple[str, ...] = names
        self._embeddings = np.ascontiguousarray(embeddings[order], np.float32)
        self._norms = norms[order].astype(np.float64)

    @classmethod
    def of(cls, templates: Templates, metric: str) -> Index:
        """The index of what a gallery gave."""
        return cls(templates.persons, templates.embeddings, templates.norms, metric, templates.space)

    def __len__(self) -> int:
        """How many templates there are."""
        return len(self._norms)

    def nearest(self, template: Template, count: int | None = None) -> list[tuple[str, float]]:
        """The `count` nearest persons (all of them without it), nearest first, each by its best template.

        Raises FaceedgeError when the template is of another space.
        """
        _check_space(self.space, template.space)
        if not self.persons:
            return []
        rows = _similarities(self._embeddings, self._norms, template, self.metric)
        best = np.maximum.reduceat(rows, self._starts)
        return [(self.persons[at], float(best[at])) for at in _highest(best, count)]


def _similarities(embeddings: Floats, norms: NDArray[np.floating], template: Template, metric: str) -> Scores:
    """The one formula. cosine: A·B of unit vectors. euclidean: 1 - |A-B|²/2 of the vectors before normalisation."""
    cosines = (embeddings @ template.embedding).astype(np.float64)
    if metric == "cosine":
        return cosines
    squares = norms**2 + template.norm**2 - 2 * norms * template.norm * cosines
    return np.asarray(1 - squares / 2, np.float64)


def _grouped(persons: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp], NDArray[np.intp]]:
    """The persons once each, where each begins, and the order of rows that puts them together."""
    names, numbers = np.unique(np.array(persons, dtype=np.str_), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return tuple(map(str, names)), np.searchsorted(numbers[order], np.arange(len(names))), order


def _highest(scores: Scores, count: int | None) -> NDArray[np.intp]:
    if count is None or count >= len(scores):
        return np.argsort(-scores, kind="stable")
    top = np.argpartition(-scores, count)[:count]
    return top[np.argsort(-scores[top], kind="stable")]


def _check_space(a: str, b: str) -> None:
    if a != b:
        raise FaceedgeError(
            f"templates of different spaces ({a}, {b}) cannot be compared; enrol with the active models"
        )


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise FaceedgeError(f"unknown metric {metric!r}; a recogniser's metric is {' or '.join(METRICS)}")
