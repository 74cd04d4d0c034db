"""Labelled pairs for the gates, from a folder of people, without the people of the calibration set.

People are numbers from here on; `Labelled.names` is for the operator's screen, never for a report.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import BadInput

PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
MAX_IMAGES = 50_000
GENUINE, IMPOSTORS = 200_000, 100_000
"""How many pairs are drawn at most; below, all there are. 100,000 strangers' pairs carry a rate of 0.03 %."""

Numbers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Photos and who is on them. people: int64 (n,), the number of each photo's person; names: by that number."""

    images: tuple[Path, ...]
    people: Numbers
    names: tuple[str, ...]

    def only(self, keep: Mask) -> Labelled:
        """The photos where `keep` (bool (n,)) is true; people keep their numbers."""
        images = tuple(image for image, kept in zip(self.images, keep, strict=True) if kept)
        return Labelled(images, self.people[keep], self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """first, second: int64 (n,), places in the list of photos; same: bool (n,), whether one person is on both."""

    first: Numbers
    second: Numbers
    same: Mask

    def only(self, keep: Mask) -> Pairs:
        """The pairs of the photos where `keep` is true, renumbered to fit `Labelled.only`."""
        place = np.cumsum(keep) - 1
        kept = keep[self.first] & keep[self.second]
        return Pairs(place[self.first[kept]], place[self.second[kept]], self.same[kept])


@dataclass(frozen=True, slots=True)
class Dropped:
    """A person left out of the gates, by name, and why."""

    name: str
    reason: str


def people_in(folder: Path) -> Labelled:
    """One subfolder a person, the photos directly in it; hidden files and folders are passed over.

    Raises BadInput when it cannot be listed or there are fewer than two people.
    """
    try:
        people = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        photos = {person.name: _photos_of(person) for person in people}
    except OSError as error:
        raise BadInput(f"{folder}: cannot be listed ({error.strerror}); name a folder of people") from error
    names = tuple(name for name, found in photos.items() if found)
    if len(names) < 2:
        raise BadInput(f"{folder}: fewer than two people with photos; make one subfolder a person")
    if sum(map(len, photos.values())) > MAX_IMAGES:
        raise BadInput(f"{folder}: more than {MAX_IMAGES} photos; name a folder with fewer")
    images = tuple(image for name in names for image in photos[name])
    return Labelled(images, np.repeat(np.arange(len(names)), [len(photos[name]) for name in names]), names)


def _photos_of(person: Path) -> list[Path]:
    return sorted(
        entry
        for entry in person.iterdir()
        if entry.suffix.lower() in PHOTOS and entry.is_file() and not entry.name.startswith(".")
    )


def all_pairs(people: Numbers, seed: int, genuine: int = GENUINE, impostors: int = IMPOSTORS) -> Pairs:
    """Every pair of one person's photos and of two people's, each kind drawn evenly by `seed` where it is too many."""
    order = np.argsort(people, kind="stable")
    ends = np.searchsorted(people[order], people[order], side="right")
    places, chance = np.arange(len(people)), np.random.default_rng(seed)
    ours, theirs = _drawn(places + 1, ends - places - 1, genuine, chance)
    one, other = _drawn(ends, len(people) - ends, impostors, chance)
    same = np.repeat([True, False], [len(ours), len(one)])
    return Pairs(order[np.concatenate([ours, one])], order[np.concatenate([theirs, other])], same)


def _drawn(begin: Numbers, counts: Numbers, limit: int, chance: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Pairs (i, begin[i] + k) with k < counts[i]: all, or `limit` of them drawn evenly."""
    total, after = int(counts.sum()), np.cumsum(counts)
    chosen = np.arange(total) if total <= limit else np.sort(chance.choice(total, limit, replace=False))
    first = np.searchsorted(after, chosen, side="right")
    return first, begin[first] + chosen - (after - counts)[first]


def digest_of(path: Path) -> str:
    """sha256 of a file, hex. Raises BadInput when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def strangers(
    labelled: Labelled, digests: Sequence[str], names: Collection[str], seen: Collection[str]
) -> tuple[Mask, tuple[Dropped, ...]]:
    """Which photos show nobody of the calibration set, and who was dropped because of it.

    digests: of the labelled photos. names, seen: people (folders) and digests of the calibration set. One photo that
    was seen drops its whole person: gates measured on people that INT8 was fitted to prove nothing.
    """
    known, met = {_folded(name) for name in names}, set(seen)
    by_name = {at for at, name in enumerate(labelled.names) if _folded(name) in known}
    shared = {int(who) for who, digest in zip(labelled.people, digests, strict=True) if digest in met}
    dropped = [
        Dropped(labelled.names[at], "has a folder of that name in the calibration set") for at in sorted(by_name)
    ]
    dropped += [
        Dropped(labelled.names[at], "has a photo that is in the calibration set") for at in sorted(shared - by_name)
    ]
    return ~np.isin(labelled.people, sorted(by_name | shared)), tuple(dropped)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
