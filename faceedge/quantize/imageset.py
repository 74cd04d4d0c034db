"""Is this set of images fit to calibrate a network? Which of them are used, and what is wrong with the rest. Pure.

In: the facts of each image. Out: faults, for which the set is refused, and remarks, which the report repeats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from faceedge.manifest import Part
from faceedge.quantize.imagefacts import HASH_BITS, ImageFacts
from faceedge.quantize.pairs import Mask
from faceedge.quantize.set_faults import (
    ALIKE_BITS,
    ALIKE_SHARE,
    FLAT,
    FLOORS,
    MIN_FACE_PX,
    MIN_SIDE_PX,
    NOISE,
    Fault,
    Floors,
    Looked,
    State,
    Taker,
    faults_of,
    remarks_on,
)
from faceedge.types import Floats

_BLOCK = 256


class SetReport(Part):
    """images: looked at; used: how many of them calibrate; left_out: why the others do not. people: counted by the
    float recogniser, None for a detector.

    faults: why the set is refused. remarks: what is odd about it. digest: sha256 over the digests of the used images,
    sorted. kept: the places of those, not part of a report.
    """

    taker: Taker
    images: int
    used: int
    people: int | None
    digest: str
    left_out: dict[str, int]
    faults: tuple[Fault, ...] = ()
    remarks: tuple[str, ...] = ()
    kept: tuple[int, ...] = Field((), exclude=True)

    @property
    def sentence(self) -> str:
        """How many images calibrate, and why not the others."""
        others = ", ".join(f"{count} {why}" for why, count in self.left_out.items())
        return f"{self.used:,} of {self.images:,} images calibrate" + (f"; left out: {others}" if others else "")

    @property
    def refused(self) -> str:
        """One line for the operator; empty when the set is fit."""
        return "; ".join(fault.words for fault in self.faults)


def check_set(
    facts: Sequence[ImageFacts], taker: Taker, floors: Floors | None = None, match: float | None = None
) -> SetReport:
    """match: the recogniser's threshold, by which people are counted and crops are called alike."""
    limits = floors or FLOORS[taker]
    states = [_state(one, taker) for one in facts]
    usable = [at for at, state in enumerate(states) if state == "usable"]
    distinct = _leaders(facts, usable, ALIKE_BITS, None if match is None else 1 - (1 - match) * ALIKE_SHARE)
    people = None if match is None else len(_leaders(facts, distinct, -1, match))
    looked = Looked(tuple(facts), tuple(states), tuple(distinct), taker, limits)
    return SetReport(
        taker=taker, images=len(facts), used=len(distinct), people=people,
        digest=set_digest([facts[at].digest for at in distinct]),
        faults=tuple(faults_of(looked)),
        remarks=tuple(remarks_on(looked, people)),
        left_out=looked.left_out,
        kept=tuple(distinct),
    )  # fmt: skip


def set_digest(digests: Sequence[str]) -> str:
    """sha256 over the images' digests, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _state(one: ImageFacts, taker: Taker) -> State:
    """What becomes of one image. A detector learns from photos without a face, too."""
    if one.neighbours < NOISE:
        return "noise"
    if not one.faces and one.contrast < FLAT:
        return "flat"
    if min(one.width, one.height) < MIN_SIDE_PX or (one.faces and one.face_px < MIN_FACE_PX):
        return "small"
    return "usable" if one.faces or taker == "detector" else "faceless"


class _Likeness:
    """Which images resemble each other: by their hash, and by their embedding where there is a similarity to reach."""

    def __init__(self, facts: Sequence[ImageFacts], bits: int, similarity: float | None) -> None:
        self._bits, self._similarity = bits, similarity
        self._hashes = np.array([one.bits for one in facts], np.uint8).reshape(-1, HASH_BITS // 8).view(np.uint64)
        self._embeddings = None if similarity is None else _stacked(facts)

    def between(self, some: Sequence[int], others: Sequence[int]) -> Mask:
        """bool (some, others)."""
        apart = np.bitwise_count(self._hashes[some, None] ^ self._hashes[None, others]).sum(axis=-1)
        alike = np.asarray(apart <= self._bits, bool)
        if self._embeddings is not None:
            alike |= self._embeddings[some] @ self._embeddings[others].T >= self._similarity
        return alike


def _stacked(facts: Sequence[ImageFacts]) -> Floats:
    """The embeddings, float32 (images, d); a row of zeros, like nothing, for an image without one."""
    none = np.zeros(max((len(one.embedding) for one in facts if one.embedding is not None), default=1), np.float32)
    rows = [none if one.embedding is None else one.embedding for one in facts]
    return np.array(rows, np.float32).reshape(-1, len(none))


def _leaders(facts: Sequence[ImageFacts], places: Sequence[int], bits: int, similarity: float | None) -> list[int]:
    """The images that resemble none before them: more than `bits` bits away, and less similar."""
    likeness, leaders = _Likeness(facts, bits, similarity), list[int]()
    for start in range(0, len(places), _BLOCK):
        block = places[start : start + _BLOCK]
        known, inside = likeness.between(block, leaders).any(axis=1), likeness.between(block, block)
        fresh: list[int] = []
        for row in np.flatnonzero(~known):
            if not inside[row, fresh].any():
                fresh.append(int(row))
        leaders += [block[row] for row in fresh]
    return leaders
