"""A person enrolled again from pictures that the daemon has kept: what an operator approves, and nothing less.

The pictures were recognised by the recogniser before. Templates of the one that serves are made of them, and refused
for whatever an enrolment is refused for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from faceedge.errors import BadInput
from faceedge.gallery.base import Person
from faceedge.gallery.sightings import Sighting
from faceedge.gallery.store import Gallery
from faceedge.jobs import enroll
from faceedge.jobs.enroll import Enrolled, Sitting, Wish
from faceedge.jobs.recut import Cutter, placed, recut
from faceedge.jobs.vision import Portrait
from faceedge.recognize import Recognizer
from faceedge.types import Assessment


class Eyes(Cutter, enroll.Eyes, Protocol):
    """What is needed of `jobs.vision.Vision`."""

    @property
    def recognizer(self) -> Recognizer: ...


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody who can be enrolled again, and from what, oldest first."""

    person: Person
    sightings: tuple[Sighting, ...]


def pending(gallery: Gallery, now_s: float) -> list[Pending]:
    """Everybody with sightings that are not too old (those are erased), by name. now_s: unix seconds."""
    gallery.sightings.expire(now_s)
    found: dict[str, list[Sighting]] = {}
    for one in gallery.sightings.all():
        found.setdefault(one.person, []).append(one)
    return [Pending(person, tuple(found[person.id])) for person in gallery.people() if person.id in found]


def approve(gallery: Gallery, eyes: Eyes, person: Person, *, allow_duplicate: bool = False) -> Enrolled:
    """Makes templates of a person's sightings and erases these; all of it or nothing.

    Raises BadInput when there are none, and as an enrolment does: when they are not all of one person, or look like
    somebody else.
    """
    seen = gallery.sightings.of(person.id)
    if not seen:
        raise BadInput(f"nobody has seen {person.name!r} lately: enrol them from photos, faceedge enroll")
    sittings = _sittings(gallery, eyes, seen)
    with gallery.transaction():
        if gallery.find(person.id) is None:
            raise BadInput(f"{person.name!r} is no longer in the gallery; list the people again")
        enrolled = enroll.admit(gallery, eyes, Wish(person.name, (), allow_duplicate), sittings)
        gallery.sightings.erase(person.id)
    return enrolled


def _sittings(gallery: Gallery, eyes: Eyes, seen: Sequence[Sighting]) -> list[Sitting]:
    kept = [(one, gallery.sightings.crop(one)) for one in seen]
    cut = [(one, recut(eyes, crop)) for one, crop in kept if crop is not None]
    crops = [(one, crop) for one, crop in cut if crop is not None]
    templates = eyes.recognizer.embed([crop for _, crop in crops])
    face = placed(eyes.alignment, eyes.scheme)
    return [
        Sitting(called(one, number), Portrait(face, crop, Assessment(one.quality), template))
        for number, ((one, crop), template) in enumerate(zip(crops, templates, strict=True), start=1)
    ]


def called(one: Sighting, number: int) -> Path:
    """Under which name a sighting is told of, and kept as the source of its template."""
    return Path(f"sighting {number} of {one.day}")
