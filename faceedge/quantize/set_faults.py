"""What is wrong or odd about a set of images, each as a sentence that says how to mend it. Pure.

The limits were set on 680 photos of people, on 17 clips, and on made-up bad sets, which tests/quantize/test_bad_sets.py
makes anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from pydantic import Field

from faceedge.manifest import Part
from faceedge.quantize.imagefacts import ImageFacts

Taker: TypeAlias = Literal["detector", "recognizer"]
State: TypeAlias = Literal["usable", "noise", "flat", "small", "faceless"]
Kind: TypeAlias = Literal["few", "alike", "noise", "flat", "small", "faceless", "colours", "light", "blurred", "crops"]

ALIKE_BITS = 20
"""Of 256 bits of the difference hash. Photos of different people by one fixed camera differ by 37 and more, frames of
one clip by 2 to 18; crops of different people by 45 and more."""
ALIKE_SHARE = 0.08
"""Two crops are alike when their similarity misses 1 by less than this share of what `match` misses it by."""
NOISE, FLAT, BLURRED = 0.5, 4.0, 0.06
"""Below: neighbouring pixels correlate (photos 0.84 and more), grey levels spread, detail (photos 0.07 and more)."""
MIN_SIDE_PX, MIN_FACE_PX = 64, 24
DARK, BRIGHT = 25.0, 235.0
"""Median light of all faces; photos in living rooms to daylight lie at 97 to 202."""
FILLED = 0.6
"""Share of a photo's width that a face takes in a crop (0.63 to 0.77), seldom in a photo."""
COLOURED, ONE_LIGHT, FEW_PEOPLE = 5.0, 20.0, 10


_LEFT_OUT: tuple[tuple[State, str], ...] = (
    ("noise", "noise"),
    ("flat", "of one colour"),
    ("small", "too small"),
    ("faceless", "without a face"),
)


class Floors(Part):
    """least: distinct images below which a set is refused. recommended: below half of it the report says so. colours:
    check that faces are redder than blue, which light of one colour can turn off."""

    least: int = Field(64, ge=1)
    recommended: int = Field(300, ge=1)
    colours: bool = True


FLOORS: dict[Taker, Floors] = {"recognizer": Floors(least=64), "detector": Floors(least=32)}
"""Magnitudes that 99.9 % of a tensor's values stay below, beside those of 520 images: on 32 photos the worst of YuNet's
50 tensors is off by 7 %, on 64 crops the worst of mobileface_v2's and edgeface's by 3 %, on 256 by 1.5 %. The largest
value of all still falls short by a third on 64, so a method that rests on it wants the recommended number."""


class Fault(Part):
    """Why a set is refused."""

    kind: Kind
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """A set and what became of each image. distinct: places of the usable ones that resemble none before them."""

    facts: tuple[ImageFacts, ...]
    states: tuple[State, ...]
    distinct: tuple[int, ...]
    taker: Taker
    limits: Floors

    @property
    def faces(self) -> list[ImageFacts]:
        return [one for one in self.facts if one.faces]

    def count(self, state: State) -> int:
        return self.states.count(state)

    @property
    def left_out(self) -> dict[str, int]:
        """How many images do not calibrate, by the reason."""
        counts = {words: self.count(state) for state, words in _LEFT_OUT}
        counts["like another one"] = self.count("usable") - len(self.distinct)
        return {words: count for words, count in counts.items() if count}


def faults_of(looked: Looked) -> Iterator[Fault]:
    """Why the set is refused, the cause before its consequence."""
    yield from _bad_images(looked)
    if looked.faces:
        yield from _bad_faces(looked)
    yield from _too_few(looked)


_BAD: tuple[tuple[Literal["noise", "flat", "small"], float, str], ...] = (
    ("noise", 0.1, "random noise"),
    ("flat", 0.1, "of a single colour"),
    ("small", 0.5, f"smaller than {MIN_SIDE_PX} px, or their faces than {MIN_FACE_PX} px"),
)


def _bad_images(looked: Looked) -> Iterator[Fault]:
    """Images that calibrate nothing; below their share of the set they are only left out."""
    total = len(looked.facts)
    for kind, most, what in _BAD:
        if (count := looked.count(kind)) > most * total:
            yield Fault(kind=kind, words=f"{count} of {total} images are {what}; take photos of the camera in use")
    if 2 * len(looked.faces) < total:
        missing = f"on {total - len(looked.faces)} of {total} images the float detector finds no face"
        yield Fault(kind="faceless", words=f"{missing}; take photos of people")


def _bad_faces(looked: Looked) -> Iterator[Fault]:
    """Faces unlike those that a camera shows."""
    faces = looked.faces
    coloured = [one.warmth for one in faces if abs(one.warmth) >= COLOURED]
    if looked.limits.colours and len(coloured) >= 10 and np.median(coloured) < 0:
        words = "most faces are bluer than red: the colours are swapped or inverted; take the images as they come"
        yield Fault(kind="colours", words=words)
    light = float(np.median([one.light for one in faces]))
    if not DARK <= light <= BRIGHT:
        how = "dark" if light < DARK else "bright"
        yield Fault(
            kind="light", words=f"the faces are too {how} (median {light:.0f} of 255); take photos in normal light"
        )
    if np.median([one.detail for one in faces]) < BLURRED:
        yield Fault(kind="blurred", words="most faces are blurred or enlarged from a few pixels; take sharp photos")
    if looked.taker == "detector" and np.median([one.face_px / one.width for one in faces]) > FILLED:
        words = "the faces fill the images: these are crops, a detector needs the whole photos they were cut from"
        yield Fault(kind="crops", words=words)


def _too_few(looked: Looked) -> Iterator[Fault]:
    usable, distinct, least = looked.count("usable"), len(looked.distinct), looked.limits.least
    if usable < least:
        words = f"{usable} of {len(looked.facts)} images can be used; give at least {least}"
        yield Fault(kind="few", words=f"{words}, better {looked.limits.recommended}")
    elif distinct < least:
        words = f"of {usable} images only {distinct} differ from each other; at least {least} must"
        yield Fault(kind="alike", words=f"{words}: take them on several days or in several places")


def remarks_on(looked: Looked, people: int | None) -> Iterator[str]:
    """What is odd about a set that may still do. people: counted on it, None for a detector's."""
    distinct, limits = len(looked.distinct), looked.limits
    if sum(looked.left_out.values()) > len(looked.facts) / 3:
        yield f"only {distinct} of {len(looked.facts)} images could be used"
    if limits.least <= distinct < limits.recommended / 2:
        yield f"{distinct} distinct images are few, {limits.recommended} are better"
    if people is not None and 0 < people < FEW_PEOPLE:
        yield "the set shows one person only" if people == 1 else f"the set shows {people} people only"
    if faces := [looked.facts[at] for at in looked.distinct if looked.facts[at].faces]:
        yield from _light(faces)


def _light(faces: list[ImageFacts]) -> Iterator[str]:
    low, high = np.percentile([one.light for one in faces], (10, 90))
    if high - low < ONE_LIGHT:
        yield f"all faces are about equally bright ({low:.0f} to {high:.0f} of 255); take some in other light"
    if np.median([abs(one.warmth) for one in faces]) < COLOURED / 5:
        yield "the images are without colour"
