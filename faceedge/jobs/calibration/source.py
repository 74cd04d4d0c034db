"""Pictures for a calibration: folders of photos or of aligned crops in, samples out, one at a time.

A `Source` is walked several times and gives the same samples in the same order each time. A running daemon's crops can
be another one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from faceedge import align
from faceedge.errors import BadInput
from faceedge.jobs.photos import SUFFIXES, read_photo, shown
from faceedge.types import Face, Floats, Image

MOST_FILES = 200_000
"""In one folder, before any is chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture and the faces on it, largest first. picture: a photo, or the aligned crop of its largest face.

    digest: sha256 of what it came from. person: folder or id of who is on it, empty when unknown. photo: where the
    picture is a crop, what it was cut from.
    """

    name: str
    digest: str
    person: str
    picture: Image
    faces: tuple[Face, ...]
    photo: Image


class Source(Protocol):
    """Samples in a fixed order. name: for reports, in words. digests: of all its files; people: who is on them."""

    name: str

    def __len__(self) -> int:
        """How many samples it tries to give."""
        ...

    def samples(self) -> Iterator[Sample]:
        """All of them anew; what cannot be read is passed over and counted in `unreadable`."""
        ...


class Looking(Protocol):
    """Finds faces on photos and cuts out the largest; `eyes.Eyes`."""

    def faces(self, digest: str, photo: Image) -> tuple[Face, ...]:
        """Largest first."""
        ...

    def picture(self, photo: Image, faces: Sequence[Face]) -> Image | None:
        """What the network to be calibrated is shown: the photo, or a crop of it; None when there is none."""
        ...

    def shrunk(self, photo: Image) -> Image:
        """The photo, no larger than the recipe says."""
        ...


@dataclass(frozen=True, slots=True)
class Photo:
    """A file and who is on it."""

    path: Path
    person: str = ""


class Photos:
    """Photos as the flow sees them: found, and for a recogniser cut out."""

    def __init__(self, photos: Sequence[Photo], eyes: Looking, name: str) -> None:
        self.name = name
        self.unreadable: list[str] = []
        self._photos = photos
        self._eyes = eyes

    def __len__(self) -> int:
        return len(self._photos)

    def samples(self) -> Iterator[Sample]:
        """See `Source.samples`. A photo without a face is given to a detector, and with an empty picture otherwise."""
        self.unreadable = []
        for one in self._photos:
            read = read_once(one.path, self.unreadable)
            if read is None:
                continue
            digest, photo = read
            photo = self._eyes.shrunk(photo)
            faces = self._eyes.faces(digest, photo)
            picture = self._eyes.picture(photo, faces)
            empty = np.zeros((0, 0, 3), np.uint8)
            yield Sample(one.path.name, digest, one.person, empty if picture is None else picture, faces, photo)


class Crops:
    """Files that are aligned crops already."""

    def __init__(self, photos: Sequence[Photo], alignment: str, name: str) -> None:
        self.name = name
        self.unreadable: list[str] = []
        self._photos = photos
        self._spec = align.crop_spec(alignment)
        self._face = whole_face(alignment)

    def __len__(self) -> int:
        return len(self._photos)

    def samples(self) -> Iterator[Sample]:
        """See `Source.samples`. Raises BadInput for a crop of another size: it was not aligned for this recogniser."""
        self.unreadable = []
        for one in self._photos:
            read = read_once(one.path, self.unreadable)
            if read is None:
                continue
            digest, crop = read
            if crop.shape[:2] != (self._spec.height, self._spec.width):
                size = f"{self._spec.width}x{self._spec.height}"
                raise BadInput(
                    f"{shown(one.path)}: {crop.shape[1]}x{crop.shape[0]} px, but crops of this recogniser have {size};"
                    " leave --crops out if these are photos"
                )
            yield Sample(one.path.name, digest, one.person, crop, (self._face,), crop)


def read_once(path: Path, unreadable: list[str]) -> tuple[str, Image] | None:
    """Digest and picture of a file; None when it is no photo, and then `unreadable` says why."""
    try:
        photo = read_photo(path)
        return hashlib.sha256(path.read_bytes()).hexdigest(), photo
    except BadInput as error:
        unreadable.append(str(error))
    except OSError as error:
        unreadable.append(f"{shown(path)}: cannot be read ({error.strerror})")
    return None


def files_in(folder: Path) -> list[Photo]:
    """The photos of a folder and of the folders in it, which are taken for people; hidden ones are passed over.

    Raises BadInput when it cannot be listed, holds no photo, or more than 200,000.
    """
    found: list[Photo] = []
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        for entry in entries:
            inside = sorted(entry.iterdir()) if entry.is_dir() else []
            found += [Photo(entry)] if _is_photo(entry) else []
            found += [Photo(photo, entry.name) for photo in inside if _is_photo(photo)]
    except OSError as error:
        raise BadInput(f"{shown(folder)}: cannot be listed ({error.strerror}); name a folder of photos") from error
    if not found:
        raise BadInput(f"{shown(folder)}: no JPEG, PNG or WebP file in this folder; name another")
    if len(found) > MOST_FILES:
        raise BadInput(f"{shown(folder)}: more than {MOST_FILES} photos; name a folder with fewer")
    return found


def choose(photos: Sequence[Photo], limit: int, seed: int) -> list[Photo]:
    """At most `limit` of them, drawn by `seed`, in their old order."""
    if len(photos) <= limit:
        return list(photos)
    drawn = np.random.default_rng(seed).choice(len(photos), limit, replace=False)
    return [photos[place] for place in np.sort(drawn)]


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and os.path.isfile(path)


def whole_face(alignment: str) -> Face:
    """The face of an aligned crop: its landmarks lie where the alignment puts them."""
    spec = align.crop_spec(alignment)
    scheme = next(iter(align.ALIGNMENTS[alignment].templates))
    points: Floats = np.array(align.ALIGNMENTS[alignment].templates[scheme], np.float32)
    return Face(np.array([0, 0, spec.width, spec.height], np.float32), 1.0, points)
