"""What a float build and its INT8 build say to the same labelled pairs, and how far that moved. Pure.

Scores are similarities, higher is more alike; a pair is accepted at or above its threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.quantize.pairs import Mask, Numbers, Pairs
from faceedge.types import Floats

Scores: TypeAlias = NDArray[np.float64]
_BLOCK = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """source, build: float64 (n,), each pair's score in FP32 and in INT8. same: bool (n,). one, other: int64 (n,), the
    people of the pair, numbered 0.. without gaps."""

    source: Scores
    build: Scores
    same: Mask
    one: Numbers
    other: Numbers

    @property
    def genuine(self) -> int:
        return int(self.same.sum())

    @property
    def impostors(self) -> int:
        return len(self.same) - self.genuine

    @property
    def people(self) -> int:
        return int(max(self.one.max(initial=-1), self.other.max(initial=-1))) + 1


@dataclass(frozen=True, slots=True)
class Shift:
    """How scores move from FP32 to INT8: mean and standard deviation of the difference, over `pairs` pairs."""

    mean: float
    spread: float
    pairs: int


def scored(source: Floats, build: Floats, people: Numbers, pairs: Pairs, metric: str) -> PairScores:
    """The scores of the pairs. source, build: float32 (images, d), the outputs before normalisation; people: of the
    images. metric: `cosine`, or `euclidean` as the gallery measures it, 1 - distance²/2 before normalisation."""
    _, numbers = np.unique(people, return_inverse=True)
    return PairScores(
        similarities(source, pairs, metric), similarities(build, pairs, metric), pairs.same,
        numbers[pairs.first], numbers[pairs.second],
    )  # fmt: skip


def similarities(embeddings: Floats, pairs: Pairs, metric: str) -> Scores:
    """float64 (pairs,), in blocks, so that memory stays bounded."""
    scores = np.empty(len(pairs.first))
    for start in range(0, len(scores), _BLOCK):
        part = slice(start, start + _BLOCK)
        scores[part] = agreement(embeddings[pairs.first[part]], embeddings[pairs.second[part]], metric)
    return scores


def agreement(source: Floats, build: Floats, metric: str) -> Scores:
    """Similarity row by row, float64 (n,): the cosine, or what the gallery takes for it with `euclidean`, which is the
    cosine where both lengths are 1. A row that is not finite counts as zeros."""
    one, other = _finite(source), _finite(build)
    if metric == "euclidean":
        return np.asarray(1 - ((one - other) ** 2).sum(axis=1) / 2, np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1e-12), np.float64)


def _finite(embeddings: Floats) -> NDArray[np.float64]:
    rows = embeddings.astype(np.float64)
    rows[~np.isfinite(rows).all(axis=1)] = 0
    return rows


def threshold_at(impostors: Scores, rate: float) -> float:
    """The lowest threshold that accepts at most this share of the impostors. Ties are all refused."""
    allowed = math.floor(rate * len(impostors) + 1e-9)
    if allowed >= len(impostors):
        return float(impostors.min())
    return float(np.nextafter(np.partition(impostors, -allowed - 1)[-allowed - 1], np.inf))


def shift(scores: PairScores, same: bool) -> Shift:
    """How the scores of the genuine (`same`) or the impostor pairs moved; zeros of nothing."""
    moved = (scores.build - scores.source)[scores.same == same]
    if not len(moved):
        return Shift(0.0, 0.0, 0)
    return Shift(float(moved.mean()), float(moved.std()), len(moved))


def moved_most(scores: PairScores, count: int) -> Numbers:
    """The pairs that INT8 scores most unlike FP32, worst first: for the report's pictures."""
    return np.argsort(-np.abs(scores.build - scores.source), kind="stable")[:count]
