"""A fast look at many rows: rough products with a query, and how far from the truth they can be at most.

Written a for a query, b for a row, â and b̂ for what int8 keeps of them. Two scans, one promise, rounding of float32
included: |rough - a·b| <= base + rate * loosest of the chunk. docs/search.md has the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats

numkong: Any
try:
    import numkong
except ImportError:  # the extra `search` is not installed
    numkong = None

CHUNK = 8192  # rows looked at in one go: what is made of them stays in the second-level cache
PORTION = 256  # rows rounded in one go: what is made on the way stays in the cache, too
STEPS = 127
BLOCK = 4  # queries from which a block of products is faster than one after the other
ROUNDING = 2.0**-20  # covers the few float32 operations after a sum, each within 2^-24
VANISHING = np.float32(2.0**-56)  # more than the length of a vector whose squares are too small for float32


class Question(Protocol):
    """Queries as a scan needs them. unit, base, rate: float32 (m,).

    unit: what the products of a query and its bounds are multiples of.
    """

    unit: Floats
    base: Floats
    rate: Floats

    def products(self, part: slice) -> Floats:
        """Rough products with these rows, float32 (m, c), the caller's to change."""
        ...


class Scan(Protocol):
    """Rows as they are looked at. loosest: float32, one for each chunk of rows."""

    loosest: Floats

    def ask(self, queries: Floats) -> Question:
        """queries: finite float32 (m, d)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """Vectors as int8: codes (n, d), vector ≈ codes * step. steps, lost, lengths: float32 (n,).

    lost: at least |vector - codes * step|. lengths: at least |vector|.
    """

    codes: NDArray[np.int8]
    steps: Floats
    lost: Floats
    lengths: Floats

    @classmethod
    def of(cls, vectors: Floats) -> Rounded:
        """vectors: finite float32 (n, d)."""
        steps = np.abs(vectors).max(axis=1) / np.float32(STEPS)
        steps[steps == 0] = 1
        scaled = np.rint(vectors / steps[:, None])
        left = vectors - scaled * steps[:, None]
        # Sums of d squares in float32 are within d * 2^-24 of the truth, relatively; what is subtracted within 2^-23.
        upward = np.float32(1 + vectors.shape[1] * 2.0**-23)
        lengths = np.sqrt(np.vecdot(vectors, vectors)) * upward + VANISHING
        lost = np.sqrt(np.vecdot(left, left)) * upward + lengths * np.float32(2.0**-21) + VANISHING
        return cls(scaled.astype(np.int8), steps, lost, lengths)

    @classmethod
    def of_many(cls, vectors: Floats) -> Rounded:
        """The same, portion by portion."""
        codes, measures = np.empty(vectors.shape, np.int8), np.empty((3, len(vectors)), np.float32)
        for start in range(0, len(vectors), PORTION):
            part = slice(start, start + PORTION)
            one = cls.of(vectors[part])
            codes[part], measures[:, part] = one.codes, (one.steps, one.lost, one.lengths)
        return cls(codes, *measures)


class Int8Scan:
    """Integer products of codes: exact, and a quarter of the memory to read.

    |a·b - â·b̂| = |(a - â)·b̂ + a·(b - b̂)| <= |a - â| |b̂| + |a| |b - b̂|, by Cauchy-Schwarz.
    """

    def __init__(self, rounded: Rounded) -> None:
        self.codes = rounded.codes
        self.steps = rounded.steps
        self.loosest = np.maximum.reduceat(rounded.lost, np.arange(0, len(rounded.lost), CHUNK))
        self.longest = np.float32((rounded.lengths + rounded.lost).max() * (1 + ROUNDING))

    def ask(self, queries: Floats) -> Question:
        """Rounds the queries, too."""
        asked = Rounded.of(queries)
        kind = _Block if len(queries) >= BLOCK else _OneByOne
        return kind(self, asked)


class _Asked:
    def __init__(self, scan: Int8Scan, asked: Rounded) -> None:
        upward = np.float32(1 + ROUNDING) / asked.steps
        lost = asked.lost + np.float32(ROUNDING) * (asked.lengths + asked.lost)
        self.unit = asked.steps
        self.base = lost * scan.longest * upward
        self.rate = asked.lengths * upward
        self._codes = scan.codes
        self._steps = scan.steps
        self._asked = asked


class _OneByOne(_Asked):
    def products(self, part: slice) -> Floats:
        codes = self._codes[part]
        products = np.empty((len(self.unit), len(codes)), np.float32)
        for query, line in zip(self._asked.codes, products, strict=True):
            numkong.dot(query, codes, out=line, out_dtype="float32")
        products *= self._steps[part]
        return products


class _Block(_Asked):
    def __init__(self, scan: Int8Scan, asked: Rounded) -> None:
        super().__init__(scan, asked)
        self._packed: Any = numkong.dots_pack(asked.codes)

    def products(self, part: slice) -> Floats:
        whole = np.asarray(numkong.dots_packed(self._codes[part], self._packed))
        products: Floats = np.multiply(whole.T, self._steps[part], dtype=np.float32, order="C", casting="unsafe")
        return products


class FloatScan:
    """Products in float32. A sum of d products is within d * 2^-24 / (1 - d * 2^-24) of |a| |b|, in any order."""

    def __init__(self, embeddings: Floats, longest: np.float32) -> None:
        """longest: at least the length of each row, but for the rounding of a sum of squares."""
        self.embeddings = embeddings
        self.loosest = np.zeros(-(-len(embeddings) // CHUNK), np.float32)
        self._longest = longest + VANISHING

    def ask(self, queries: Floats) -> Question:
        """Takes the queries as they are."""
        lengths = np.sqrt(np.vecdot(queries, queries)) + VANISHING
        base = lengths * (self._longest * np.float32(float_error(queries.shape[1])))
        return _Plain(self.embeddings, queries, base)


class _Plain:
    def __init__(self, embeddings: Floats, queries: Floats, base: Floats) -> None:
        self.unit = np.ones_like(base)
        self.base = base
        self.rate = np.zeros_like(base)
        self._embeddings = embeddings
        self._queries = queries

    def products(self, part: slice) -> Floats:
        rows = self._embeddings[part]
        return np.asarray(self._queries @ rows.T, np.float32)


def float_error(dimension: int) -> float:
    """How far a sum of so many float32 products can be off, with what follows it, for rows and queries of length 1.

    Their lengths may be float32 sums, too.
    """
    relative = dimension * 2.0**-23 + ROUNDING
    return relative * (1 + relative) ** 2


def has_int8() -> bool:
    """Whether the library with the integer products is installed."""
    return numkong is not None
