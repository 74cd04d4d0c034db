"""A folder of people in (`<name>/<photo>.jpg`), all of them in the gallery out, each whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faceedge.errors import BadInput, DeviceLost, EngineError
from faceedge.gallery.base import PeopleStore
from faceedge.jobs.enroll import Enrolled, Eyes, Progress, Seen, Wish, enroll
from faceedge.jobs.photos import SUFFIXES, photos_in, shown


@dataclass(frozen=True, slots=True)
class Candidate:
    """One folder of photos. refused: why nothing can be done with it, in words."""

    wish: Wish
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one folder: exactly one of the two is set."""

    name: str
    enrolled: Enrolled | None = None
    refused: str | None = None

    @property
    def is_change(self) -> bool:
        """Whether the gallery holds more than before."""
        return self.enrolled is not None and any(photo.added for photo in self.enrolled.photos)


def candidates(folder: Path, like: Wish) -> tuple[list[Candidate], list[Path]]:
    """The people of a folder, by name, and the photos that lie beside their folders. Hidden entries do not count.

    like: its flags are those of every wish. Raises BadInput when the folder cannot be listed or holds nobody.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        why = error.strerror
        raise BadInput(f"{shown(folder)}: cannot be read ({why}); name a folder of people's folders") from error
    people = [_candidate(entry, like) for entry in entries if os.path.isdir(entry)]
    if not people:
        raise BadInput(f"{shown(folder)}: no folders in it; each person needs one, called by name, with photos in it")
    return people, [entry for entry in entries if not os.path.isdir(entry) and entry.suffix.lower() in SUFFIXES]


def enroll_folder(
    gallery: PeopleStore, eyes: Eyes, people: Sequence[Candidate], progress: Progress, seen: Seen | None = None
) -> Iterator[Answer]:
    """Enrols one person after the other; who is refused stops nobody. What was answered is stored for good."""
    total = sum(len(person.wish.photos) for person in people)
    done = 0
    for person in people:
        yield _answer(gallery, eyes, person, _part(progress, person.wish, done, total), seen)
        done += len(person.wish.photos)


def _candidate(folder: Path, like: Wish) -> Candidate:
    wish = replace(like, name=folder.name, photos=())
    try:
        return Candidate(replace(wish, photos=tuple(photos_in([folder]))))
    except BadInput as error:
        return Candidate(wish, str(error))


def _answer(gallery: PeopleStore, eyes: Eyes, person: Candidate, progress: Progress, seen: Seen | None) -> Answer:
    name = person.wish.name
    if person.refused is not None:
        return Answer(name, refused=person.refused)
    try:
        return Answer(name, enroll(gallery, eyes, person.wish, progress, seen))
    except DeviceLost:
        raise  # nobody else could be looked at either
    except (BadInput, EngineError) as error:
        return Answer(name, refused=str(error))


def _part(progress: Progress, wish: Wish, done: int, total: int) -> Progress:
    """Progress of one person as a part of the whole."""
    return lambda text, share: progress(f"{wish.name}: {text}", (done + share * len(wish.photos)) / max(1, total))
