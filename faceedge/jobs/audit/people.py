"""Which people are too close to each other, and what is known of each person and template. Pure.

In: what the scan found and what the gallery says of each template. Out: findings, worst first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faceedge.fit import Thresholds
from faceedge.jobs.audit.findings import ClosePair, Facts, Kind, Neighbour, PersonFacts, Record
from faceedge.jobs.audit.scan import Faces, Scanned
from faceedge.types import Floats

MOST_NEIGHBOURS = 1000
MOST_CLOSE = 5000
"""Pairs of people that are listed; how many there are in all is counted level by level."""


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """records: of each row of the scan's faces. demanded: the score from which a door takes a person for another."""

    scanned: Scanned
    records: Sequence[Record]
    norms: Floats
    thresholds: Thresholds
    demanded: float

    @property
    def faces(self) -> Faces:
        return self.scanned.faces

    def rows(self, person: int) -> range:
        """The rows of one person, by number."""
        start = int(self.faces.starts[person])
        return range(start, start + int(self.faces.counts[person]))

    def facts(self, row: int) -> Facts:
        """What is known of one template."""
        scanned, nearest = self.scanned, int(self.scanned.nearest[row])
        there = self.records[nearest] if nearest >= 0 else None
        return Facts(
            self.records[row], float(self.norms[row]), known(scanned.own[row]), known(scanned.other[row]),
            there.person if there else None, there.id if there else None,
        )  # fmt: skip


def person_facts(seen: Inspected, names: dict[str, str]) -> tuple[PersonFacts, ...]:
    """One for everybody with a template of this space, by name."""
    found = []
    for number, key in enumerate(seen.faces.people):
        rows = list(seen.rows(number))
        own, other = seen.scanned.own[rows], seen.scanned.other[rows]
        weakest = rows[int(np.argmin(own))] if len(rows) > 1 else None
        near = rows[int(np.argmax(np.nan_to_num(other, nan=-np.inf)))]
        there = int(seen.scanned.nearest[near])
        created = [seen.records[row].created for row in rows]
        found.append(
            PersonFacts(
                key, names.get(key, key), len(rows),
                None if weakest is None else seen.records[weakest].id,
                None if weakest is None else float(seen.scanned.own[weakest]),
                seen.records[there].person if there >= 0 else None, known(seen.scanned.other[near]),
                min(created), max(created),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.name, one.id)))


def neighbours(seen: Inspected) -> tuple[Neighbour, ...]:
    """The closest pairs of people, closest first."""
    found: dict[tuple[int, int], float] = {}
    highest, owner = seen.scanned.highest, seen.faces.owner
    for one, other, score in zip(highest.one, highest.other, highest.scores, strict=True):
        pair = (int(owner[one]), int(owner[other]))
        if pair not in found:
            if len(found) == MOST_NEIGHBOURS:
                break
            found[pair] = float(score)
    people = seen.faces.people
    return tuple(Neighbour(people[a], people[b], score) for (a, b), score in found.items())


def close_pairs(seen: Inspected) -> tuple[ClosePair, ...]:
    """People of whom two templates reach what a door demands, closest first."""
    return tuple(_close_pair(seen, one, other) for one, other in too_close(seen))


def too_close(seen: Inspected) -> list[tuple[int, int]]:
    """Numbers of people, closest pair first."""
    highest, owner = seen.scanned.highest, seen.faces.owner
    count = int(np.searchsorted(-highest.scores, -seen.demanded, side="right"))
    pairs = zip(owner[highest.one[:count]].tolist(), owner[highest.other[:count]].tolist(), strict=True)
    return list(itertools.islice(dict.fromkeys(pairs), MOST_CLOSE))


def _close_pair(seen: Inspected, one: int, other: int) -> ClosePair:
    scores = between(seen, one, other)
    best = divmod(int(scores.argmax()), scores.shape[1])
    over, median = scores >= seen.demanded, float(np.median(scores))
    kind: Kind = "look_alike"
    if median >= seen.thresholds.strict:
        kind = "same_person"
    elif lone(over) is not None:
        kind = "one_template"
    return ClosePair(
        seen.faces.people[one], seen.faces.people[other], kind, float(scores.max()), median, int(over.sum()),
        over.size, seen.records[seen.rows(one)[best[0]]].id, seen.records[seen.rows(other)[best[1]]].id,
    )  # fmt: skip


def between(seen: Inspected, one: int, other: int) -> Floats:
    return seen.faces.scores(np.array(seen.rows(one)), np.array(seen.rows(other)))


def lone(over: np.ndarray) -> tuple[int, int] | None:
    """Where two people are too close by one template only, that of which more are reached: side (0 or 1) and place.

    One whose person has no other does not count: it is all there is of them.
    """
    for side in (0, 1):
        guilty = np.flatnonzero(over.any(axis=1 - side))
        if len(guilty) == 1 < over.shape[side] and over.any(axis=side).sum() > 1:
            return side, int(guilty[0])
    return None


def known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
