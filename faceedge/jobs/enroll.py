"""Photos in, a person in the gallery out: whole, or not at all. Every photo is checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from faceedge.decide import USABLE_QUALITY
from faceedge.errors import BadInput
from faceedge.fit import Thresholds
from faceedge.gallery.base import Origin, PeopleStore, Person
from faceedge.gallery.rows import clean_name
from faceedge.gallery.search import Index, similarity
from faceedge.jobs import look_alikes
from faceedge.jobs.look_alikes import Measure
from faceedge.jobs.photos import read_photo, shown
from faceedge.types import Image, Template

if TYPE_CHECKING:
    from faceedge.jobs.vision import Portrait

Progress = Callable[[str, float], None]
STRANGERS, UNLIKE, TAKEN = (
    "the pictures show more than one person", "does not look like the pictures of this person that there are",
    "looks like somebody else of the gallery",
)  # fmt: skip
Seen = Callable[[Path, Image, "Sequence[Portrait]"], None]
"""Told of every photo that could be read, also of those that are refused then."""


class NotEnrolled(BadInput):
    """Why nobody was enrolled. plain: the same without names and numbers, for whoever may not see them."""

    def __init__(self, plain: str, text: str) -> None:
        super().__init__(text)
        self.plain = plain


class Eyes(Protocol):
    """What enrolment needs of `jobs.vision.Vision`."""

    @property
    def thresholds(self) -> Thresholds: ...
    @property
    def door_thresholds(self) -> Thresholds: ...
    @property
    def look_alike(self) -> float: ...
    @property
    def metric(self) -> str: ...
    @property
    def space(self) -> str: ...
    @property
    def recognizer_build(self) -> str: ...
    def portraits(self, image: Image) -> list[Portrait]: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """Who is to be enrolled from what; no photos for the shots of a camera.

    allow_duplicate: also when another person looks the same (twins).
    keep_crops: store the sealed aligned crops, from which a later recogniser makes its templates.
    """

    name: str
    photos: tuple[Path, ...] = ()
    allow_duplicate: bool = False
    keep_crops: bool = True


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of one photo. added: False when the gallery had this very template already."""

    path: Path
    quality: float
    reasons: tuple[str, ...]
    added: bool


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Somebody else of the gallery who is nearer than the score at ten times the match's false-match rate. flagged: so
    near, or by so many pictures, that the gallery keeps it; see `jobs.look_alikes`."""

    person: Person
    similarity: float
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The person afterwards. is_new: not in the gallery before. look_alikes: surest first; they were not refused."""

    person: Person
    is_new: bool
    photos: tuple[Shown, ...]
    look_alikes: tuple[LookAlike, ...] = ()

    @property
    def added(self) -> int:
        """How many photos the gallery did not have already."""
        return sum(photo.added for photo in self.photos)

    @property
    def flagged(self) -> int:
        """How many others the gallery keeps as look-alikes."""
        return sum(other.flagged for other in self.look_alikes)

    def entry(self) -> dict[str, Any]:
        """For the journal: no names, and no names of files, which are often those of people."""
        person = self.person
        qualities = [round(photo.quality, 3) for photo in self.photos if photo.added]
        alike = {other.person.id: round(other.similarity, 4) for other in self.look_alikes}
        new = {"person": person.id, "new": self.is_new, "templates": person.templates, "qualities": qualities}
        flagged = [other.person.id for other in self.look_alikes if other.flagged]
        return {**new, "look_alikes": alike, "flagged": flagged} if alike else new


@dataclass(frozen=True, slots=True, eq=False)
class Sitting:
    """One good face of the person. path: the photo, or what a camera's shot is called."""

    path: Path
    portrait: Portrait

    @property
    def template(self) -> Template:
        return self.portrait.template


def enroll(
    gallery: PeopleStore, eyes: Eyes, wish: Wish, progress: Progress | None = None, seen: Seen | None = None
) -> Enrolled:
    """Adds a person, or templates to a person of that name, from photos with exactly one good face each.

    Raises BadInput for a name that is none, and, naming the photo: not readable, no face or several, poor quality,
    not the same person as the other photos or as the templates stored, or somebody else of the gallery. With `seen`
    every photo is looked at before the first fault is raised.
    """
    clean_name(wish.name)
    if not wish.photos:
        raise BadInput("no photos given; name at least one image")
    sittings: list[Sitting] = []
    faults: list[BadInput] = []
    for number, path in enumerate(wish.photos, start=1):
        try:
            sittings.append(_sit(eyes, path, seen))
        except BadInput as fault:
            if seen is None:
                raise
            faults.append(fault)
        if progress is not None:
            progress(path.name, number / len(wish.photos))
    if faults:
        raise faults[0]
    return admit(gallery, eyes, wish, sittings)


def admit(gallery: PeopleStore, eyes: Eyes, wish: Wish, sittings: Sequence[Sitting]) -> Enrolled:
    """Adds a person, or templates to a person of that name, from good faces, in one transaction.

    Raises BadInput as `enroll` does for the name, and for faces that are not one person, not that of the templates
    stored, or somebody else of the gallery.
    """
    clean_name(wish.name)
    if not sittings:
        raise BadInput("no faces given; a person needs at least one")
    _check_same_person(eyes, sittings)
    with gallery.transaction():
        known = gallery.find(wish.name)
        person = known or gallery.add_person(wish.name)
        clerk = _Clerk(gallery, eyes, wish, person)
        everyone = Index.of(gallery.templates(eyes.space), eyes.metric)
        for sitting in sittings:
            clerk.check(everyone, sitting)
        near = clerk.look_alikes(everyone, sittings)
        photos = clerk.add(sittings)
        flagged = clerk.flag(near)
        stored = gallery.find(person.id)
    assert stored is not None, "it was written in this transaction"
    return Enrolled(stored, known is None, photos, flagged)


def _sit(eyes: Eyes, path: Path, seen: Seen | None) -> Sitting:
    image = read_photo(path)
    portraits = eyes.portraits(image)
    if seen is not None:
        seen(path, image, portraits)
    if not portraits:
        raise BadInput(f"{shown(path)}: no face found; use a photo that shows the face large and from the front")
    if len(portraits) > 1:
        raise BadInput(f"{shown(path)}: {len(portraits)} faces found; use a photo of one person, or cut it out")
    assessment = portraits[0].assessment
    if not assessment.quality >= USABLE_QUALITY:
        why = f"{', '.join(assessment.reasons) or 'poor'}; quality {assessment.quality:.2f}, at least {USABLE_QUALITY}"
        raise BadInput(f"{shown(path)}: {why}; use a better photo")
    return Sitting(path, portraits[0])


def _check_same_person(eyes: Eyes, sittings: Sequence[Sitting]) -> None:
    """Every two photos must be alike; of a pair that is not, the one less like the rest is named."""
    if len(sittings) < 2:
        return
    alike = np.array([[similarity(a.template, b.template, eyes.metric) for b in sittings] for a in sittings])
    worst = divmod(int(alike.argmin()), len(sittings))
    if alike[worst] >= eyes.thresholds.grey:
        return
    odd, other = sorted(worst, key=lambda row: float(alike[row].sum()))
    raise NotEnrolled(
        STRANGERS,
        f"{shown(sittings[odd].path)}: shows somebody else than {shown(sittings[other].path)}"
        f" (similarity {alike[worst]:.2f}, at least {eyes.thresholds.grey:.2f}); enrol one person at a time",
    )


def _sureness(item: tuple[str, tuple[float, float]]) -> tuple[float, float, str]:
    key, (sure, score) = item
    return -sure, -score, key


@dataclass(frozen=True, slots=True, eq=False)
class _Clerk:
    """Weighs photos against the gallery and writes them into it; lives inside one transaction."""

    gallery: PeopleStore
    eyes: Eyes
    wish: Wish
    person: Person

    def check(self, everyone: Index, sitting: Sitting) -> None:
        """Like the person's own templates if there are any, and like nobody else's."""
        nearest = everyone.nearest(sitting.template)
        own = [score for key, score in nearest if key == self.person.id]
        if own and not own[0] >= self.eyes.thresholds.grey:
            raise NotEnrolled(
                UNLIKE,
                f"{shown(sitting.path)}: does not look like the {self.person.name!r} of the gallery"
                f" (similarity {own[0]:.2f}, at least {self.eyes.thresholds.grey:.2f}); choose another name",
            )
        twin = next(((key, score) for key, score in nearest if key != self.person.id), None)
        if twin is None or twin[1] < self.eyes.door_thresholds.match or self.wish.allow_duplicate:
            return
        other = self.gallery.find(twin[0])
        raise NotEnrolled(
            TAKEN,
            f"{shown(sitting.path)}: looks like {other.name if other else twin[0]!r} of the gallery"
            f" (similarity {twin[1]:.2f}); --allow-duplicate if they are two people",
        )

    def look_alikes(self, everyone: Index, sittings: Sequence[Sitting]) -> tuple[LookAlike, ...]:
        """Everybody else who comes near one of the faces, surest first: a poor photo resembles many."""
        least = min(self.eyes.look_alike, self._measure().grey)
        nearest: dict[str, tuple[float, float]] = {}
        for sitting in sittings:
            quality = sitting.portrait.assessment.quality
            for key, score in everyone.nearest(sitting.template):
                if score >= least and key != self.person.id:
                    sure = self.eyes.thresholds.calibrated(score) * quality
                    nearest[key] = max((sure, score), nearest.get(key, (sure, score)))
        found = [(self.gallery.find(key), score) for key, (_, score) in sorted(nearest.items(), key=_sureness)]
        return tuple(LookAlike(person, score) for person, score in found if person is not None)

    def flag(self, others: Sequence[LookAlike]) -> tuple[LookAlike, ...]:
        """Keeps who of them is to be flagged; the templates are stored by then. Those, and whom to point out anyway."""
        near = [other.person.id for other in others]
        found = look_alikes.flag(self.gallery, self._measure(), self.person.id, near, "enrolment")
        told = [other for other in others if other.person.id in found or other.similarity >= self.eyes.look_alike]
        return tuple(replace(other, flagged=other.person.id in found) for other in told)

    def _measure(self) -> Measure:
        return look_alikes.as_before(self.gallery, Measure.of(self.eyes))

    def add(self, sittings: Sequence[Sitting]) -> tuple[Shown, ...]:
        """Stores what is not stored yet: the same photo twice is one template."""
        known = {row.tobytes() for row in self.gallery.templates(self.eyes.space, (self.person.id,)).embeddings}
        photos = []
        for sitting in sittings:
            vector = sitting.template.embedding.astype(np.float32).tobytes()
            if vector not in known:
                self._store(sitting)
            assessment = sitting.portrait.assessment
            photos.append(Shown(sitting.path, assessment.quality, assessment.reasons, vector not in known))
            known.add(vector)
        return tuple(photos)

    def _store(self, sitting: Sitting) -> None:
        portrait = sitting.portrait
        source = shown(Path(sitting.path.name))
        origin = Origin(portrait.assessment.quality, source, self.eyes.recognizer_build)
        crop = portrait.crop if self.wish.keep_crops else None
        self.gallery.add_template(self.person.id, portrait.template, origin, crop)
