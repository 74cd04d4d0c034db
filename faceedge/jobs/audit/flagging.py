"""Who looks like whom in a whole gallery: every two people are compared, however many there are, and flagged.

Run by `faceedge gallery audit --flag`. What is above a threshold in float32, block by block in bounded memory, is
measured exactly by `jobs.look_alikes`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from faceedge.gallery.base import PeopleStore
from faceedge.jobs import look_alikes
from faceedge.jobs.audit.scan import Faces, Numbers, blocks
from faceedge.jobs.look_alikes import Measure

Tell = Callable[[float], None]

MOST_PAIRS = 20_000
"""Above this something else is wrong: with the thresholds, or with who is enrolled."""
ROUNDING = 2.0**-14
"""More than a float32 product of up to 1024 numbers is off, for vectors of length 1."""


@dataclass(frozen=True, slots=True)
class Flagged:
    """pairs: ids of people who were not flagged before. is_all: whether everybody was compared with everybody; not when
    there were more than `MOST_PAIRS`, or when somebody was enrolled meanwhile by a version that compares nobody."""

    pairs: tuple[tuple[str, str], ...]
    is_all: bool


def flag_everybody(gallery: PeopleStore, measure: Measure, tell: Tell) -> Flagged:
    """Flags all who look alike, and notes in the gallery that it was done. tell: is told the share done, 0..1."""
    seen = gallery.changes()
    faces = Faces.of(gallery.templates(measure.space), measure.metric)
    near = _near(faces, measure, tell)
    one, other = np.divmod(near[:MOST_PAIRS], max(len(faces.people), 1))
    pairs = [(faces.people[a], faces.people[b]) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    with gallery.transaction():
        found = look_alikes.flag_pairs(gallery, measure, pairs, "audit")
        if len(near) <= MOST_PAIRS:
            gallery.compared.note(measure.space, measure.levels, seen)
        is_all = gallery.compared.reaches(measure.space, measure.levels)
    return Flagged(tuple(pair for pair, is_new in found.items() if is_new), is_all)


def _near(faces: Faces, measure: Measure, tell: Tell) -> Numbers:
    """Pairs of people, each as one number, of whom two templates reach `match`, or the mean of all `grey`."""
    slack = ROUNDING * (1 + 2 * float(np.vecdot(faces.vectors, faces.vectors).max(initial=0.0)))
    single = _over(faces, measure.match - slack, lambda done: tell(0.8 * done))
    together = _over(_middles(faces), measure.grey - slack, lambda done: tell(0.8 + 0.2 * done))
    return np.union1d(single, together)


def _middles(faces: Faces) -> Faces:
    """One row a person: the score of two of these is the mean of all scores between the two people."""
    if not len(faces):
        return faces
    vectors = np.asarray(np.add.reduceat(faces.vectors, faces.starts, axis=0) / faces.counts[:, None], np.float32)
    offsets = np.asarray(np.add.reduceat(faces.offsets, faces.starts) / faces.counts, np.float32)
    everybody = np.arange(len(faces.people))
    return replace(
        faces, order=everybody, owner=everybody, starts=everybody, counts=np.ones_like(everybody), vectors=vectors,
        offsets=offsets,
    )  # fmt: skip


def _over(faces: Faces, least: float, tell: Tell) -> Numbers:
    found, done = np.zeros(0, np.int64), 0
    for rows, columns in blocks(len(faces)):
        scores = faces.scores(rows, columns)
        at, column = np.nonzero(scores >= least)
        one, other = faces.owner[at + rows.start], faces.owner[column + columns.start]
        found = np.union1d(found, (one * len(faces.people) + other)[one < other])
        if len(found) > MOST_PAIRS:
            break
        done += scores.size
        tell(min(1.0, 2 * done / len(faces) ** 2))
    return found
