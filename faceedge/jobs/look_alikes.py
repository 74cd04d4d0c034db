"""Who is flagged as a look-alike of whom, from the templates of a gallery; and what of it holds when one has gone.

Two people are flagged when a template of one would open a door for the other (`match` of the doors), or when all their
templates together are as near as a door's doubt begins (`grey`): a single pair of photos comes that near by chance, the
mean of all pairs of photos hardly does, but that of siblings does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from faceedge.door_limits import Numbers
from faceedge.fit import Thresholds
from faceedge.gallery.base import Finder, Levels, Likeness, PeopleStore, Templates
from faceedge.gallery.search import Index, similarity
from faceedge.types import Template


class Recogniser(Protocol):
    """What is needed of `jobs.vision.Vision`."""

    @property
    def door_thresholds(self) -> Thresholds: ...
    @property
    def metric(self) -> str: ...
    @property
    def space(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Measure:
    """In which space people are compared, and by which scores of the doors."""

    space: str
    metric: str
    grey: float
    match: float

    @classmethod
    def of(cls, eyes: Recogniser) -> Measure:
        """As the doors of this recogniser decide."""
        levels = eyes.door_thresholds
        return cls(eyes.space, eyes.metric, levels.grey, levels.match)

    @property
    def levels(self) -> Levels:
        """By which scores."""
        return Levels(self.grey, self.match)

    def down_to(self, levels: Levels | None) -> Measure:
        """By the lower ones of these and its own."""
        if levels is None:
            return self
        return replace(self, grey=min(self.grey, levels.grey), match=min(self.match, levels.match))

    def likeness(self, one: Sequence[Template], other: Sequence[Template]) -> float | None:
        """The highest score between templates of two people, None when they do not look alike."""
        scores = np.array([[similarity(a, b, self.metric) for b in other] for a in one])
        if not scores.size or not (scores.max() >= self.match or scores.mean() >= self.grey):
            return None
        return float(scores.max())


def demanded(numbers: Numbers) -> Levels | None:
    """The lowest scores of the doors that ask look-alikes for more; None where no door does."""
    wary = [limits for limits in numbers.own.values() if limits.look_alikes]
    return Levels(min(one.grey for one in wary), min(one.match for one in wary)) if wary else None


def as_before(gallery: PeopleStore, measure: Measure) -> Measure:
    """Whoever comes is compared at least as widely as all who are there were: for a door's own scores, say."""
    return measure.down_to(gallery.compared.wanted(measure.space))


def flag(gallery: PeopleStore, measure: Measure, person: str, others: Iterable[str], by: Finder) -> dict[str, bool]:
    """Flags a person and those of the others (ids) who look like them; whether each was not flagged before.

    measure: `as_before`. Call it inside the transaction that has added templates. others: at least whoever has a
    template that comes as near as `grey` to one of these.
    """
    found = flag_pairs(gallery, measure, [(person, other) for other in others], by)
    gallery.compared.extend(measure.space, measure.levels)
    return {other: is_new for (_, other), is_new in found.items()}


def flag_pairs(
    gallery: PeopleStore, measure: Measure, pairs: Collection[tuple[str, str]], by: Finder
) -> dict[tuple[str, str], bool]:
    """Flags those of the pairs of people (ids) who look alike; whether each was not flagged before."""
    if not pairs:
        return {}
    shown = _by_person(gallery, measure.space, {person for pair in pairs for person in pair})
    found: dict[tuple[str, str], bool] = {}
    for one, other in pairs:
        score = measure.likeness(shown.get(one, ()), shown.get(other, ()))
        if score is not None:
            found[one, other] = gallery.alike.note(one, other, Likeness(by, score, measure.space))
    return found


def near(everyone: Index, shown: Templates, least: float) -> set[str]:
    """Whoever has a template that is at least so near to one of these (ids)."""
    return {person for one in _each(shown) for person, score in everyone.nearest(one) if score >= least}


def settle(gallery: PeopleStore, measure: Measure, person: str) -> list[str]:
    """After a template of a person has gone: ends what rested on it. Ids of those they look like no more."""
    measure = as_before(gallery, measure)
    shown = _by_person(gallery, measure.space, {person, *(pair.other(person) for pair in gallery.alike.pairs(person))})
    own = shown.pop(person, [])
    scores = {other: measure.likeness(own, theirs) for other, theirs in shown.items()}
    measured = {other: score for other, score in scores.items() if score is not None}
    return gallery.alike.settle(person, measure.space, measured)


def _by_person(gallery: PeopleStore, space: str, people: Iterable[str]) -> dict[str, list[Template]]:
    found = gallery.templates(space, tuple(people))
    shown: dict[str, list[Template]] = {}
    for owner, template in zip(found.persons, _each(found), strict=True):
        shown.setdefault(owner, []).append(template)
    return shown


def _each(found: Templates) -> list[Template]:
    rows = zip(found.embeddings, found.norms, strict=True)
    return [Template(vector, float(norm), found.space) for vector, norm in rows]
