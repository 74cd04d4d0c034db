"""Rows of a gallery that lie together and never move: what is exact of them, and what is looked at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import FaceedgeError
from faceedge.gallery.best import Owners, Places
from faceedge.gallery.coarse import FloatScan, Int8Scan, Rounded, Scan, has_int8
from faceedge.gallery.metric import Exact
from faceedge.types import Floats

PIECE = 128  # rows made float64 in one go: half a megabyte, which malloc keeps for the next time
SMALL = 512  # rows up to which bytes are not worth it
LONGEST = 1e9  # far beyond any template, and bounds are still finite
GONE = -1
"""The owner of a row that was removed."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """embeddings: float32 (n, d). norms: float32 (n,). owners: int32 (n,), numbers of persons, `GONE` for none.

    longest: length of the longest row. alive: how many rows are still somebody's.
    """

    embeddings: Floats
    norms: Floats
    owners: Owners
    scan: Scan
    longest: np.float32
    alive: int

    @classmethod
    def of(cls, embeddings: Floats, norms: Floats, owners: Owners) -> Segment:
        """Raises FaceedgeError when a number is none, or a length negative or huge."""
        embeddings = np.ascontiguousarray(embeddings, np.float32)
        norms = norms.astype(np.float32)
        lengths = np.sqrt(np.vecdot(embeddings, embeddings))
        if not ((lengths < LONGEST) & (norms >= 0) & (norms < LONGEST)).all():
            raise FaceedgeError(
                "a template of the gallery is no finite vector; restore a backup or enrol the person anew"
            )
        longest = lengths.max()
        is_large = has_int8() and len(owners) > SMALL
        scan = Int8Scan(Rounded.of_many(embeddings)) if is_large else FloatScan(embeddings, longest)
        return cls(embeddings, norms, owners, scan, longest, int((owners != GONE).sum()))

    def __len__(self) -> int:
        """How many rows there are, those removed included."""
        return len(self.norms)

    def without(self, persons: Owners) -> Segment:
        """The same rows with those of these persons removed; nothing else is copied."""
        leaving = np.isin(self.owners, persons)
        if not leaving.any():
            return self
        owners = np.where(leaving, np.int32(GONE), self.owners)
        return replace(self, owners=owners, alive=int((owners != GONE).sum()))

    def cosines(self, rows: Places, queries: Exact, at: Places) -> Exact:
        """Products in float64 of row rows[i] and query at[i]. The same two vectors give the same product anywhere."""
        products = np.empty(len(rows))
        for start in range(0, len(rows), PIECE):
            part = slice(start, start + PIECE)
            exactly = np.take(self.embeddings, rows[part], axis=0).astype(np.float64)
            np.vecdot(exactly, np.take(queries, at[part], axis=0), out=products[part])
        return products


def merged(segments: Sequence[Segment]) -> Segment:
    """One segment of the rows that are still there."""
    kept = [segment.owners != GONE for segment in segments]

    def joined(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(one, name)[alive] for one, alive in zip(segments, kept, strict=True)])

    return Segment.of(joined("embeddings"), joined("norms"), joined("owners"))  # type: ignore[arg-type]
