"""Labelled people for a recogniser's gates: a folder of people, a list of pairs, or the enrolled and their crops.

Whoever is in the calibration set is left out: gates measured on them would prove nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceedge import align
from faceedge.errors import BadInput
from faceedge.gallery.store import Gallery
from faceedge.jobs.calibration.gates import Shown
from faceedge.jobs.calibration.source import Looking, read_once
from faceedge.package import Package
from faceedge.quantize.pair_list import read_pairs
from faceedge.quantize.pairs import Labelled, Mask, Numbers, Pairs, all_pairs, digest_of, people_in, strangers
from faceedge.types import Image

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the calibration set shows: digests of its files, and names or ids of its people, where they are known."""

    digests: Set[str]
    people: Set[str]


def of_folder(folder: Path, eyes: Looking | None, package: Package, known: Known, seed: int, tell: Progress) -> Shown:
    """One subfolder a person. eyes: None where the files are aligned crops. Raises BadInput."""
    labelled, _, dropped = _without(people_in(folder), known)
    return _shown(labelled, None, eyes, package, seed, dropped, tell)


def of_list(
    path: Path, eyes: Looking | None, package: Package, known: Known, seed: int, tell: Progress
) -> Shown:  # fmt: skip
    """A list `imgA,imgB,same`, paths below its folder. Raises BadInput."""
    labelled, pairs = read_pairs(path, path.parent)
    labelled, kept, dropped = _without(labelled, known)
    return _shown(labelled, pairs.only(kept), eyes, package, seed, dropped, tell)


def of_gallery(state: Path, package: Package, known: Known, seed: int, tell: Progress) -> Shown | None:
    """The enrolled people, by the crops kept with their templates; None when there are not two with any.

    Raises StoreError when the gallery cannot be read.
    """
    if not (state / "gallery.db").exists():
        return None
    crops: list[Image] = []
    people: list[int] = []
    left_out, spec = 0, align.crop_spec(package.manifest.alignment)
    with Gallery.open(state) as gallery:
        everybody = gallery.people()
        for number, person in enumerate(everybody):
            tell("reading the enrolled people", number / len(everybody))
            if known.people & {person.name, person.id}:
                left_out += 1
                continue
            entries = [one for one in gallery.entries(person.id) if one.crop and one.space == package.space]
            for crop in (gallery.crop(person.id, entry) for entry in entries):
                if (
                    crop is not None
                    and crop.shape[:2] == (spec.height, spec.width)
                    and _digest(crop) not in known.digests
                ):
                    crops.append(crop)
                    people.append(number)
    if len(set(people)) < 2:
        return None
    numbers = np.array(people, np.int64)
    words = f"{len(crops)} crops of {len(set(people))} enrolled people{_left_out(left_out)}"
    return Shown(crops, numbers, all_pairs(numbers, seed), words, left_out)


def of_nobody(crops: Sequence[Image]) -> Shown:
    """Crops without names: only the cosines can be judged."""
    words = f"{len(crops)} crops held out of the calibration, of nobody in particular"
    return Shown(crops, np.zeros(len(crops), np.int64), None, words)


def _without(labelled: Labelled, known: Known) -> tuple[Labelled, Mask, int]:
    digests = [digest_of(path) for path in labelled.images]
    kept, dropped = strangers(labelled, digests, known.people, known.digests)
    if len(set(labelled.people[kept].tolist())) < 2:
        raise BadInput(
            f"{len(dropped)} of {len(labelled.names)} labelled people are in the calibration set, and fewer than two"
            " are left for the gates; calibrate on photos of other people"
        )
    return labelled.only(kept), kept, len(dropped)


def _left_out(count: int) -> str:
    return f"; {count} are in the calibration set and were left out" if count else ""


def _shown(
    labelled: Labelled, pairs: Pairs | None, eyes: Looking | None, package: Package, seed: int, dropped: int,
    tell: Progress,
) -> Shown:  # fmt: skip
    """Reads the photos and cuts the crops; photos without a face, or not readable, are left out."""
    crops: list[Image] = []
    kept = np.zeros(len(labelled.images), bool)
    spec = align.crop_spec(package.manifest.alignment)
    for place, path in enumerate(labelled.images):
        tell("looking at the labelled people", place / len(labelled.images))
        crop = _crop(path, eyes)
        if crop is not None and crop.shape[:2] == (spec.height, spec.width):
            crops.append(crop)
            kept[place] = True
    people: Numbers = labelled.people[kept]
    count = len(set(people.tolist()))
    if count < 2:
        raise BadInput(f"faces were found of {count} of the labelled people; give clear photos of at least two")
    chosen = all_pairs(people, seed) if pairs is None else pairs.only(kept)
    missing = len(kept) - len(crops)
    lost = f", {missing} photos without a face" if missing else ""
    words = f"{len(crops)} crops of {count} labelled people{lost}{_left_out(dropped)}"
    return Shown(crops, people, chosen, words, dropped)


def _crop(path: Path, eyes: Looking | None) -> Image | None:
    read = read_once(path, [])
    if read is None or eyes is None:
        return read[1] if read else None
    digest, photo = read
    photo = eyes.shrunk(photo)
    return eyes.picture(photo, eyes.faces(digest, photo))


def _digest(crop: Image) -> str:
    return hashlib.sha256(crop.tobytes()).hexdigest()
