"""Which captured crops are kept: a fair share for every person, light and quality, whatever comes most often. Pure.

A crop's stratum is (person or stranger, light, quality). Each crop bears a rank that was drawn once; where there are
too many, the largest group gives up its lowest rank. So every stratum holds a random sample of what it was offered, and
no count of what was refused has to be remembered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from faceedge.gallery.captured import Kept

PERSON_SHARE = 0.05
"""The most that one person may take, also while there is room: a calibration wants many faces."""
PERSON_FLOOR = 20

_QUALITY = ((0.6, "fair"), (0.8, "good"))
_LIGHT = ((80.0, "dark"), (160.0, "even"))


@dataclass(frozen=True, slots=True)
class Limits:
    """most: crops in all. alignment: of the recogniser in use; others are of no use to it and go first."""

    most: int
    alignment: str

    @property
    def most_of_one(self) -> int:
        """Crops of one person."""
        return max(PERSON_FLOOR, round(PERSON_SHARE * self.most))


@dataclass(frozen=True, slots=True)
class Plan:
    """added: ids of the offered crops that are worth storing. dropped: ids of stored ones that give way."""

    added: frozenset[str]
    dropped: tuple[str, ...]


def quality_band(quality: float) -> str:
    """`fair`, `good` or `best`. quality: 0..1."""
    return next((name for limit, name in _QUALITY if quality < limit), "best")


def light_band(light: float) -> str:
    """`dark`, `even` or `bright`. light: mean grey level of the crop, 0..255."""
    return next((name for limit, name in _LIGHT if light < limit), "bright")


def plan(kept: Sequence[Kept], offered: Sequence[Kept], limits: Limits) -> Plan:
    """Lets crops go until the rest is within the limits; the same for the same crops in any order."""
    rest = {one.id: one for one in (*kept, *offered)}
    while (victim := _victim(rest.values(), limits)) is not None:
        del rest[victim.id]
    added = frozenset(one.id for one in offered if one.id in rest)
    return Plan(added, tuple(one.id for one in kept if one.id not in rest))


def _victim(rows: Iterable[Kept], limits: Limits) -> Kept | None:
    """Who goes next; None when all may stay."""
    rows = list(rows)
    of_one = Counter(one.person for one in rows if one.person is not None)
    crowding = {person for person, count in of_one.items() if count > limits.most_of_one}
    if crowding:
        return _least([one for one in rows if one.person in crowding])
    if len(rows) <= limits.most:
        return None
    return _least([one for one in rows if one.alignment != limits.alignment] or rows)


_LEVELS: tuple[Callable[[Kept], str], ...] = (
    lambda one: "strangers" if one.person is None else "people",
    lambda one: one.person or "",
    lambda one: light_band(one.light),
    lambda one: quality_band(one.quality),
)


def _least(rows: list[Kept]) -> Kept:
    """Of the largest group, of its largest part and so on the lowest rank."""
    for level in _LEVELS:
        groups: dict[str, list[Kept]] = defaultdict(list)
        for one in rows:
            groups[level(one)].append(one)
        _, rows = max(groups.items(), key=lambda group: (len(group[1]), group[0]))
    return min(rows, key=lambda one: (one.rank, one.id))
