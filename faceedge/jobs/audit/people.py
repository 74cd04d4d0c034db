"""Which people are too close to each other, and which templates do more harm than good. Pure.

In: what the scan found and what the gallery says of each template. Out: findings, worst first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from faceedge.assess import USABLE
from faceedge.fit import Thresholds
from faceedge.jobs.audit.findings import ClosePair, Facts, Kind, Neighbour, PersonFacts, Reason, Record, Suspect
from faceedge.jobs.audit.scan import Faces, Scanned
from faceedge.types import Floats

BLURRED, SOFT = 0.045, 0.06
"""Sharpness of a crop (`measures.sharpness`) below which it is called blurred; below the second only when its template
does not reach the strict threshold with the person's others either. Of 2,965 photos that were good enough to enrol 3 in
1,000 are called so, of those blurred by 5 % of the face's width all."""
SHORT = 5.0
"""Spreads (median absolute deviations as standard deviations) below the median length of all vectors."""
ENOUGH_LENGTHS = 30
MOST_NEIGHBOURS = 1000
Rows = Sequence[int]


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
            self.records[row], float(self.norms[row]), _known(scanned.own[row]), _known(scanned.other[row]),
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
                seen.records[there].person if there >= 0 else None, _known(seen.scanned.other[near]),
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
    return tuple(_close_pair(seen, one, other) for one, other in _too_close(seen))


def _too_close(seen: Inspected) -> list[tuple[int, int]]:
    """Numbers of people, closest pair first."""
    highest, owner = seen.scanned.highest, seen.faces.owner
    count = int(np.searchsorted(-highest.scores, -seen.demanded, side="right"))
    pairs = zip(owner[highest.one[:count]].tolist(), owner[highest.other[:count]].tolist(), strict=True)
    return list(dict.fromkeys(pairs))


def _close_pair(seen: Inspected, one: int, other: int) -> ClosePair:
    scores = _between(seen, one, other)
    best = divmod(int(scores.argmax()), scores.shape[1])
    over, median = scores >= seen.demanded, float(np.median(scores))
    kind: Kind = "look_alike"
    if median >= seen.thresholds.strict:
        kind = "same_person"
    elif _lone(over) is not None:
        kind = "one_template"
    return ClosePair(
        seen.faces.people[one], seen.faces.people[other], kind, float(scores.max()), median, int(over.sum()),
        over.size, seen.records[seen.rows(one)[best[0]]].id, seen.records[seen.rows(other)[best[1]]].id,
    )  # fmt: skip


def _between(seen: Inspected, one: int, other: int) -> Floats:
    return seen.faces.scores(np.array(seen.rows(one)), np.array(seen.rows(other)))


def _lone(over: np.ndarray) -> tuple[int, int] | None:
    """Where two people are too close by one template only, that of which more are reached: side (0 or 1) and place.

    One whose person has no other does not count: it is all there is of them.
    """
    for side in (0, 1):
        guilty = np.flatnonzero(over.any(axis=1 - side))
        if len(guilty) == 1 < over.shape[side] and over.any(axis=side).sum() > 1:
            return side, int(guilty[0])
    return None


def suspects(seen: Inspected) -> tuple[Suspect, ...]:
    """Templates that do more harm than good, the surest and the closest to somebody else first."""
    lifting = dict(_lifting(seen))
    shortest = _shortest(seen.norms)
    found = []
    for number in range(len(seen.faces.people)):
        rows = seen.rows(number)
        apart, is_told = _apart(seen, rows)
        for row in rows:
            reasons = _reasons(seen, row, row in apart, row in lifting, shortest)
            if reasons:
                found.append(_suspect(seen, row, reasons, is_told or row not in apart, lifting.get(row)))
    return tuple(sorted(found, key=lambda one: (not one.sure, -(one.facts.other or -np.inf), one.facts.record.id)))


def _reasons(seen: Inspected, row: int, is_apart: bool, lifts: bool, shortest: float) -> tuple[Reason, ...]:
    record, own, other = seen.records[row], seen.scanned.own[row], seen.scanned.other[row]
    is_taken = bool(other > own) and other >= seen.thresholds.grey
    can_tell = is_apart or own >= seen.thresholds.grey
    held: tuple[tuple[Reason, bool], ...] = (
        ("unlike_own", is_apart), ("nearer_to_another", bool(is_taken and can_tell)), ("lifts_ceiling", lifts),
        ("blurred", _is_blurred(seen, row)), ("low_quality", not record.quality >= USABLE),
        ("short_vector", bool(seen.norms[row] < shortest)),
    )  # fmt: skip
    return tuple(reason for reason, holds in held if holds)


def _is_blurred(seen: Inspected, row: int) -> bool:
    sharp = seen.records[row].sharpness
    return sharp is not None and (
        sharp < BLURRED or (sharp < SOFT and bool(seen.scanned.own[row] < seen.thresholds.strict))
    )


def _suspect(seen: Inspected, row: int, reasons: tuple[Reason, ...], is_told: bool, lifts: int | None) -> Suspect:
    facts, rows = seen.facts(row), seen.rows(int(seen.faces.owner[row]))
    is_near = facts.other is not None and facts.other >= seen.thresholds.grey
    now = np.nan_to_num(seen.scanned.other[list(rows)], nan=-np.inf)
    without = max((float(now[at]) for at, other in enumerate(rows) if other != row), default=-np.inf)
    # By itself `lifts_ceiling` may be a chance likeness, as a few of many pairs are.
    sure = is_told and len(rows) > 1 and reasons != ("lifts_ceiling",)
    near = seen.faces.people[lifts] if lifts is not None else facts.nearest if is_near else None
    return Suspect(facts, reasons, sure, near, _known(float(now.max())), _known(without))


def _lifting(seen: Inspected) -> Iterator[tuple[int, int]]:
    """Rows that alone bring their person too close to another, and the number of that other."""
    for pair in _too_close(seen):
        found = _lone(_between(seen, *pair) >= seen.demanded)
        if found is not None:
            side, place = found
            yield seen.rows(pair[side])[place], pair[1 - side]


def _apart(seen: Inspected, rows: range) -> tuple[set[int], bool]:
    """The rows of a person that are not linked, from likeness to likeness, to the most of them; and whether it can be
    told that these are the wrong ones. Of parts of one size the better is the one that is nearer to nobody else."""
    if len(rows) < 2:
        return set(), True
    parts = _linked(seen.faces.scores(np.array(rows), np.array(rows)) >= seen.thresholds.grey)
    if len(parts) == 1:
        return set(), True
    sizes = sorted((len(part) for part in parts), reverse=True)
    is_told = sizes[0] > sizes[1]
    if is_told:
        main = max(parts, key=len)
        return {rows[place] for part in parts if part is not main for place in part}, True
    taken = [part for part in parts if any(_is_taken(seen, rows[place]) for place in part)]
    if 0 < len(taken) < len(parts):
        return {rows[place] for part in taken for place in part}, True
    return {rows[place] for part in parts for place in part}, False


def _is_taken(seen: Inspected, row: int) -> bool:
    """Whether a template is somebody else's, by what a door demands, or no good picture."""
    record = seen.records[row]
    return not record.quality >= USABLE or _is_blurred(seen, row) or bool(seen.scanned.other[row] >= seen.demanded)


def _linked(like: np.ndarray) -> list[list[int]]:
    """Connected parts of a symmetric bool (n, n)."""
    left, parts = set(range(len(like))), []
    while left:
        part, frontier = [], [left.pop()]
        while frontier:
            at = frontier.pop()
            part.append(at)
            reached = [other for other in left if like[at, other]]
            left.difference_update(reached)
            frontier += reached
        parts.append(sorted(part))
    return parts


def _shortest(norms: Floats) -> float:
    """Lengths below this are far from the others; none where there are too few to say."""
    if len(norms) < ENOUGH_LENGTHS:
        return -np.inf
    middle = float(np.median(norms))
    spread = 1.4826 * float(np.median(np.abs(norms - middle)))
    return middle - SHORT * spread


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
