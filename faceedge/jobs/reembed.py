"""Templates of another recogniser, made of the pictures that were kept: nobody has to come for a photo again.

A template of a picture has the same id in every run, so whoever is interrupted begins again where he was. Templates of
other spaces stay as they are, and are never compared with these. Run before another recogniser serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from faceedge.fit import Thresholds
from faceedge.gallery.base import Entry, Levels, Origin, Person
from faceedge.gallery.rows import made_of
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit.flagging import flag_everybody
from faceedge.jobs.look_alikes import Measure
from faceedge.jobs.recut import Cutter, recut
from faceedge.recognize import Recognizer
from faceedge.types import Image, Template

Share = Callable[[float], None]
CROPS = 16
"""Embedded between two looks at whether to go on: a tenth of a second, or some."""
ODD_SIZE = "its picture has no size that a recogniser takes"
UNLIKE = "shows somebody else than the other pictures, as this recogniser sees it"


class Eyes(Cutter, Protocol):
    """What is needed of `jobs.vision.Vision`."""

    @property
    def thresholds(self) -> Thresholds: ...
    @property
    def door_thresholds(self) -> Thresholds: ...
    @property
    def metric(self) -> str: ...
    @property
    def space(self) -> str: ...
    @property
    def recognizer_build(self) -> str: ...
    @property
    def recognizer(self) -> Recognizer: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """people: how many got templates just now. templates: how many. without: who has none in this space and must be
    enrolled again. refused: people with a picture that gives no template, and why. flagged: new pairs of look-alikes.
    is_whole: False when it was ended before all was done."""

    people: int
    templates: int
    without: tuple[Person, ...]
    refused: tuple[tuple[Person, str], ...] = ()
    flagged: int = 0
    is_whole: bool = True


class _Ended(Exception):
    """In the middle of looking for look-alikes, of which nothing is written down before the end."""


@dataclass(slots=True)
class _Tally:
    people: int = 0
    templates: int = 0
    refused: list[tuple[Person, str]] = field(default_factory=list)


def reembed(
    gallery: Gallery, vision: Eyes, share: Share, pace: Callable[[], None] = lambda: None,
    ending: Callable[[], bool] = lambda: False, levels: Levels | None = None,
) -> Outcome:  # fmt: skip
    """Gives everybody templates in the space of this recogniser, of every picture that has none there yet.

    share: is told how much is done, 0..1. pace: is called after every few pictures and may wait. ending: whether to
    stop as soon as possible. levels: scores by which the doors will ask who looks like whom, `look_alikes.demanded`;
    without any, look-alikes are looked for where some space of the gallery has been searched for them.

    Call it from the thread that owns the gallery. Raises EngineError when the network fails, StoreError.
    """
    tally = _Tally()
    for batch, done in _batches(gallery, vision, tally):
        if ending():
            return _outcome(gallery, vision, tally, is_whole=False)
        _embed(gallery, vision, batch, tally)
        share(0.9 * done)
        pace()

    def look_on(done: float) -> None:
        if ending():
            raise _Ended
        share(0.9 + 0.1 * done)
        pace()

    try:
        flagged = _flag(gallery, vision, levels, look_on)
    except _Ended:
        return _outcome(gallery, vision, tally, is_whole=False)
    share(1.0)
    return _outcome(gallery, vision, tally, flagged)


def without(gallery: Gallery, space: str) -> tuple[Person, ...]:
    """Who has no template in a space, by name: a recogniser of that space knows nobody of them."""
    known = gallery.owners(space)
    return tuple(person for person in gallery.people() if person.id not in known)


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """crop: the recogniser's input."""

    person: Person
    entry: Entry
    crop: Image


def _batches(gallery: Gallery, eyes: Eyes, tally: _Tally) -> Iterator[tuple[list[_Picture], float]]:
    """Pictures of whole people, about `CROPS` at a time, and the share of the people that is done with them."""
    waiting: list[_Picture] = []
    everybody = gallery.people()
    for number, person in enumerate(everybody, start=1):
        waiting += _pictures(gallery, eyes, person, tally)
        if len(waiting) >= CROPS or number == len(everybody):
            yield waiting, number / len(everybody)
            waiting = []


def _pictures(gallery: Gallery, eyes: Eyes, person: Person, tally: _Tally) -> Iterator[_Picture]:
    for entry in _sources(gallery.entries(person.id), eyes.space):
        if gallery.was_here(made_of(entry.id, eyes.space)):
            continue
        kept = gallery.crop(person.id, entry)
        crop = None if kept is None else recut(eyes, kept)
        if crop is not None:
            yield _Picture(person, entry, crop)
        elif kept is not None:
            tally.refused.append((person, f"{entry.origin.source}: {ODD_SIZE}"))


def _sources(entries: Sequence[Entry], space: str) -> list[Entry]:
    """Whose pictures are to be used: of other spaces, and no copies of those of another template."""
    copies = {made_of(one.id, other.space) for one in entries for other in entries}
    return [one for one in entries if one.crop and one.space != space and one.id not in copies]


def _embed(gallery: Gallery, eyes: Eyes, batch: Sequence[_Picture], tally: _Tally) -> None:
    """Everybody's templates at once or, when something fails, nobody's."""
    if not batch:
        return
    seen = list(zip(batch, eyes.recognizer.embed([one.crop for one in batch]), strict=True))
    people = {one.person.id: one.person for one in batch}
    with gallery.transaction():
        for person in people.values():
            own = [(picture, template) for picture, template in seen if picture.person.id == person.id]
            _store(gallery, eyes, person, own, tally)


def _store(
    gallery: Gallery, eyes: Eyes, person: Person, seen: Sequence[tuple[_Picture, Template]], tally: _Tally
) -> None:
    portfolio = gallery.portfolio(person.id)
    there = {entry.id for entry, _ in portfolio}  # others may have erased some meanwhile
    seen = [(picture, template) for picture, template in seen if picture.entry.id in there]
    known = [template for _, template in portfolio if template.space == eyes.space]
    odd = strangers(known, [(template, picture.entry.origin.quality) for picture, template in seen], eyes)
    for at, (picture, template) in enumerate(seen):
        entry = picture.entry
        if at in odd:
            tally.refused.append((person, f"{entry.origin.source}: {UNLIKE}"))
            continue
        origin = Origin(entry.origin.quality, entry.origin.source, eyes.recognizer_build)
        key = made_of(entry.id, eyes.space)
        gallery.add_template(person.id, template, origin, picture.crop, key, entry.created)
    tally.templates += len(seen) - len(odd)
    tally.people += len(seen) > len(odd)


def strangers(known: Sequence[Template], shown: Sequence[tuple[Template, float]], eyes: Eyes) -> set[int]:
    """Which of these templates (each with the quality of its picture) are like no other of the person: the one least
    like the rest goes first, of two that are unlike each other the poorer. One that is alone is like itself."""
    everything = [*known, *(template for template, _ in shown)]
    scores = np.array([[similarity(a, b, eyes.metric) for b in everything] for a in everything], np.float64)
    scores = scores.reshape(len(everything), len(everything))
    np.fill_diagonal(scores, -np.inf)
    odd: set[int] = set()
    while len(everything) - len(odd) > 1:
        nearest = scores.max(axis=1)
        rest = [at for at in range(len(shown)) if at not in odd]
        worst = min(rest, key=lambda at: (nearest[len(known) + at], shown[at][1]), default=None)
        if worst is None or nearest[len(known) + worst] >= eyes.thresholds.grey:
            break
        odd.add(worst)
        scores[len(known) + worst] = scores[:, len(known) + worst] = -np.inf
    return odd


def _flag(gallery: Gallery, eyes: Eyes, levels: Levels | None, share: Share) -> int:
    """Look-alikes in the new space, where somebody wants to know of them. How many pairs were not known before."""
    if levels is None and all(gallery.compared.wanted(space) is None for space in gallery.spaces()):
        return 0
    measure = Measure.of(eyes).down_to(levels)
    if gallery.compared.reaches(measure.space, measure.levels):
        return 0
    return len(flag_everybody(gallery, measure, share).pairs)


def _outcome(gallery: Gallery, eyes: Eyes, tally: _Tally, flagged: int = 0, *, is_whole: bool = True) -> Outcome:
    missing = without(gallery, eyes.space)
    return Outcome(tally.people, tally.templates, missing, tuple(tally.refused), flagged, is_whole)
