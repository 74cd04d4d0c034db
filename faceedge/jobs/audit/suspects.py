"""Which templates do more harm than good. Pure.

In: what the scan found and what the gallery says of each template. Out: suspects, the surest first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from faceedge.assess import USABLE
from faceedge.jobs.audit.findings import Reason, Suspect
from faceedge.jobs.audit.people import Inspected, between, close_pairs, known, lone, too_close
from faceedge.types import Floats

BLURRED, SOFT = 0.045, 0.06
"""Sharpness of a crop (`measures.sharpness`) below which it is called blurred; below the second only when its template
does not reach the strict threshold with the person's others either. A photo blurred by 2 % of the face's width is above
both, and still like its own."""
SHORT = 5.0
"""Spreads (median absolute deviations as standard deviations) below the median length of all vectors."""
ENOUGH_LENGTHS = 30


def suspects(seen: Inspected) -> tuple[Suspect, ...]:
    """Templates that do more harm than good, the surest and the closest to somebody else first."""
    return _Search(seen).found()


class _Search:
    """What is asked of all templates before any is judged: one that is wrong must not speak against others."""

    def __init__(self, seen: Inspected) -> None:
        self._seen = seen
        self._lifting = dict(_lifting(seen))
        self._shortest = _shortest(seen.norms)
        parts = [_apart(seen, seen.rows(number)) for number in range(len(seen.faces.people))]
        self._apart = {row: is_told for rows, is_told in parts for row in rows}
        self._twice = {frozenset((pair.one, pair.other)) for pair in close_pairs(seen) if pair.kind == "same_person"}

    def found(self) -> tuple[Suspect, ...]:
        rows = range(len(self._seen.faces))
        found = [self._suspect(row, reasons) for row in rows if (reasons := self._reasons(row))]
        return tuple(sorted(found, key=lambda one: (not one.sure, -(one.facts.other or -np.inf), one.facts.record.id)))

    def _reasons(self, row: int) -> tuple[Reason, ...]:
        seen = self._seen
        held: tuple[tuple[Reason, bool], ...] = (
            ("unlike_own", row in self._apart), ("nearer_to_another", self._is_nearer(row)),
            ("lifts_ceiling", row in self._lifting), ("blurred", _is_blurred(seen, row)),
            ("low_quality", not seen.records[row].quality >= USABLE),
            ("short_vector", bool(seen.norms[row] < self._shortest)),
        )  # fmt: skip
        return tuple(reason for reason, holds in held if holds)

    def _is_nearer(self, row: int) -> bool:
        """Whether it belongs to somebody else: not when the other is the wrong one, or both people are one."""
        seen, grey = self._seen, self._seen.thresholds.grey
        own, other, nearest = seen.scanned.own[row], seen.scanned.other[row], int(seen.scanned.nearest[row])
        if not (other > own and other >= grey) or (own < grey and row not in self._apart) or nearest in self._apart:
            return False
        return frozenset((seen.records[row].person, seen.records[nearest].person)) not in self._twice

    def _suspect(self, row: int, reasons: tuple[Reason, ...]) -> Suspect:
        seen = self._seen
        facts, rows, lifts = seen.facts(row), seen.rows(int(seen.faces.owner[row])), self._lifting.get(row)
        is_near = facts.other is not None and facts.other >= seen.thresholds.grey
        now = np.nan_to_num(seen.scanned.other[list(rows)], nan=-np.inf)
        without = max((float(now[at]) for at, other in enumerate(rows) if other != row), default=-np.inf)
        # By itself `lifts_ceiling` may be a chance likeness, as a few of many pairs are.
        sure = self._apart.get(row, True) and len(rows) > 1 and reasons != ("lifts_ceiling",)
        near = seen.faces.people[lifts] if lifts is not None else facts.nearest if is_near else None
        return Suspect(facts, reasons, sure, near, known(float(now.max())), known(without))


def _is_blurred(seen: Inspected, row: int) -> bool:
    sharp = seen.records[row].sharpness
    return sharp is not None and (
        sharp < BLURRED or (sharp < SOFT and bool(seen.scanned.own[row] < seen.thresholds.strict))
    )


def _lifting(seen: Inspected) -> Iterator[tuple[int, int]]:
    """Rows that alone bring their person too close to another, and the number of that other."""
    for pair in too_close(seen):
        found = lone(between(seen, *pair) >= seen.demanded)
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
