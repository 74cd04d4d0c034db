"""Pictures of one camera in, what is wrong with them out: they stand still, come again, or show nothing.

Pure: the only clock is the time that comes with each picture. One thread. A picture costs less than 0.1 ms.

What it misses. Ninety rows are compared, byte by byte, every eighth of 720: a person covers many of them, but a change
less high than the way from one to the next may fall between them. A clock that the camera writes into its pictures
changes them, so behind such a clock a frozen sensor is not seen. A film is told by pictures that are equal to the byte,
so it must come from a stream that is played again as it is: whoever adds noise to it, or films a screen, is not found
out here. Liveness is another matter.
"""

from __future__ import annotations

import math
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

import cv2

from faceedge.types import Image

Kind = Literal["frozen", "replay", "dark"]

ROWS = 90
STILL_S = 3.0
LONGEST_STEP_S = 1.0
"""Two equal pictures prove no more than this, whatever their times say: a clock may leap, a camera may be away."""
LONGEST_LOOP = 2048
"""Pictures that are remembered: 80 s at 25 a second."""
HASHED_EVERY = 8
"""Of these rows. Noise is in all of them, and it takes seconds of equal pictures to be taken for a film."""
LOOP_STEP_S = 0.3
"""The same for a picture that was seen before: it takes ten of them at least."""
NEW_WEIGHS = 4.0
"""A new picture outweighs so many old ones: some of a film are new in its second round, having been skipped before."""
LOOK_EVERY_S = 0.25
BLIND_S = 2.0
FLAT, NOT_FLAT = 5.0, 8.0
DARK, NOT_DARK = 16.0, 22.0
LAMP = 12.0
"""Deviation from which on a dark picture shows something: a lamp over the door, say."""
PATCH, PATCHES = 10, (9, 16)
"""Sampled pixels along the edge of a patch, and how many patches. The mean of a patch is free of the sensor's noise."""


@dataclass(frozen=True, slots=True)
class Fault:
    """why: for an operator. shuts: this camera may open no door meanwhile."""

    kind: Kind
    why: str
    shuts: bool


FROZEN = Fault(
    "frozen",
    "its picture stands still: the camera hangs, or is fed with a still picture; restart it, and look at its cable",
    True,
)
REPLAY = Fault(
    "replay", "the same pictures come again and again: a film is played, or the camera hangs; look at both ends", True
)
DARK_OR_COVERED = Fault("dark", "dark or covered: look at the lens, what hangs before it, and the light", False)


@dataclass(slots=True)
class _Loop:
    """Whether pictures are those of before. Equal ones in a row say nothing here."""

    is_on: bool = False
    _seen: OrderedDict[int, None] = field(default_factory=OrderedDict)
    _last: int = -1
    _old_s: float = 0.0

    def see(self, print_: int, step_s: float) -> None:
        """The hash of a picture that differs from the one before, and the time between them."""
        if print_ == self._last:
            return
        self._last = print_
        step_s = min(step_s, LOOP_STEP_S)
        is_old = print_ in self._seen
        self._old_s = min(STILL_S, self._old_s + step_s) if is_old else max(0.0, self._old_s - NEW_WEIGHS * step_s)
        self.is_on = self._old_s > (0.0 if self.is_on else STILL_S - 1e-6)
        self._seen[print_] = None
        self._seen.move_to_end(print_)
        if len(self._seen) > LONGEST_LOOP:
            self._seen.popitem(last=False)


@dataclass(slots=True)
class _Light:
    """Whether nothing can be seen. It takes 2 s of either kind to change, and more light to see than to be blind."""

    _is_blind: bool = False
    _looked_s: float = -math.inf
    _differs_since: float | None = None

    def is_blind(self, image: Image, now_s: float) -> bool:
        """Looks at some of the pictures."""
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._note(self._shows_nothing(image), now_s)
        return self._is_blind

    def _note(self, shows_nothing: bool, now_s: float) -> None:
        if shows_nothing == self._is_blind:
            self._differs_since = None
        elif self._differs_since is None:
            self._differs_since = now_s
        elif now_s - self._differs_since >= BLIND_S:
            self._is_blind, self._differs_since = shows_nothing, None

    def _shows_nothing(self, image: Image) -> bool:
        mean, deviation = light(image)
        flat, dark = (NOT_FLAT, NOT_DARK) if self._is_blind else (FLAT, DARK)
        return deviation < flat or (mean < dark and deviation < LAMP)


@dataclass(slots=True)
class PictureWatch:
    """Every picture of one camera, also across its reopenings. repeats: the source may begin anew, as a clip does."""

    repeats: bool = False
    _now_s: float = 0.0
    _captured: float = math.nan
    _sample: bytes = b""
    _still_s: float = 0.0
    _loop: _Loop = field(default_factory=_Loop)
    _light: _Light = field(default_factory=_Light)

    def see(self, image: Image, captured: float) -> Fault | None:
        """What is wrong now. captured: monotonic seconds; what lies before the picture before counts as no time."""
        step_s = self._step_s(captured)
        rows = image[:: max(1, image.shape[0] // ROWS)]
        sample = rows.tobytes()
        if sample == self._sample:
            self._still_s += step_s
        else:
            self._sample, self._still_s = sample, 0.0
            self._loop.see(zlib.crc32(rows[::HASHED_EVERY].tobytes()), step_s)
        return self._fault(self._light.is_blind(image, self._now_s))

    def _step_s(self, captured: float) -> float:
        gone_s = captured - self._captured
        self._captured = captured
        step_s = min(gone_s, LONGEST_STEP_S) if gone_s > 0 else 0.0
        self._now_s += step_s
        return step_s

    def _fault(self, is_blind: bool) -> Fault | None:
        # Steps of a float add up to a little less than their sum.
        is_frozen = self._still_s > STILL_S - 1e-6
        is_loop = self._loop.is_on and not self.repeats
        if is_blind:
            # A covered lens of a good camera gives equal pictures, too: told as what it is, and shut all the same.
            return Fault("dark", DARK_OR_COVERED.why, True) if is_frozen or is_loop else DARK_OR_COVERED
        return FROZEN if is_frozen else REPLAY if is_loop else None


def light(image: Image) -> tuple[float, float]:
    """Mean and deviation of the patches of a picture, 0..255 of its green."""
    high, wide = PATCHES
    sampled = cv2.resize(image, (PATCH * wide, PATCH * high), interpolation=cv2.INTER_NEAREST)
    patches = cv2.resize(cv2.extractChannel(sampled, 1), (wide, high), interpolation=cv2.INTER_AREA)
    return float(patches.mean()), float(patches.std())
