"""Which votes of a face count: those that show something new, and come of one head that moves. Pure.

A photo shows nothing new. Photos one after another do, but they jump, or stand there and are then wiped, pushed or
faded into each other; a head does neither. After such a cut nothing counts that was before it, or comes soon after.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median_low

from faceedge import motion
from faceedge.types import Floats
from faceedge.votes import Vote

SETTLES_S = 1.5
"""After a cut a face must be seen for so long without another one, before its pictures count again."""
BACK = (2, 4, 8, 12)
"""Shots between two pictures of which one may have been faded into the other: from 0.2 s on."""
FADES_S = 2.5
"""Pictures that lie further apart are no evidence of a fade."""


REMEMBERED = 24
"""Shots: as long as a slow fade takes."""


@dataclass(slots=True)
class Trail:
    """The newest shots of a face, oldest first: when and what they showed, the change that led to each, and when the
    last cut was."""

    cut: float = -math.inf
    times: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    looks: deque[Floats] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=motion.FROZEN))

    def stand(self) -> None:
        """The very same picture has come again."""
        self.steps.append(0.0)

    def add(self, captured: float, look: Floats, step: float) -> None:
        self.times.append(captured)
        self.looks.append(look)
        self.steps.append(step)

    def just_before(self, look: Floats, after: Floats) -> Floats | None:
        """What was shown just before that, and after the other."""
        at, first = self._place(look), self._place(after)
        return self.looks[at - 1] if at - 1 > first else None

    def _place(self, look: Floats) -> int:
        """-1: longer ago than anybody remembers."""
        return next((number for number, one in enumerate(self.looks) if one is look), -1)


@dataclass(frozen=True, slots=True)
class Continuity:
    """Changes below `motion.STILL` are the same picture again, and pictures that differ by more than `motion.JUMP` do
    not count together. A cut is a change above it; a step after which the face stands still again; one away from a
    picture that stood there; and a cross-fade, of which every picture in between is a mixture of two others."""

    settles_s: float = SETTLES_S

    def joined(self, votes: Sequence[Vote], newest: Vote, trail: Trail) -> tuple[list[Vote], bool]:
        """The votes that count now, oldest first, and whether the newest shows something new.

        A picture takes the place of one that showed the same, so it is never counted twice; it stays measured by what
        that showed, so that slow movement adds up.
        """
        look, captured = newest.look, newest.shot.captured
        step = motion.change(trail.looks[-1], look) if trail.looks else 0.0
        if _is_cut(trail, look, captured, step):
            trail.cut = captured
        trail.add(captured, look, step)
        if captured - trail.cut < self.settles_s:
            return [newest], trail.cut == captured
        changes = [(vote, motion.change(vote.look, look)) for vote in votes]
        same = [vote for vote, change in changes if change < motion.STILL]
        others = [vote for vote, change in changes if motion.STILL <= change <= motion.JUMP]
        if same:
            return [*others, replace(newest, look=same[-1].look)], False
        if len(others) >= 2 and _is_between(others[-2].look, others[-1].look, look, trail):
            others.pop()
        return [*others, newest], True


def _is_cut(trail: Trail, look: Floats, captured: float, step: float) -> bool:
    return step > motion.JUMP or _is_next_photo(trail, look, step) or _is_faded(trail, look, captured)


def _is_next_photo(trail: Trail, look: Floats, step: float) -> bool:
    """Whether the face stood like a photo before this, and has gone, or like one now, after a single step."""
    if len(trail.steps) < 2:
        return False
    *_, last_but_one, last = steps = list(trail.steps)
    if len(steps) == motion.FROZEN and max(steps) < motion.CALM and step >= motion.DEPARTED:
        return True
    if step < motion.CALM:
        return last_but_one < motion.CALM and last >= motion.ABRUPT
    if max(last_but_one, last) < motion.CALM:
        return step >= motion.SUDDEN
    stood = len(steps) >= 3 and len(trail.looks) >= 2 and max(steps[-3:-1]) < motion.CALM
    return stood and motion.change(trail.looks[-2], look) >= motion.AWAY


def _is_faded(trail: Trail, look: Floats, captured: float) -> bool:
    """Whether a picture that differs from this one, the nearest such, was faded into it: those between are mixtures."""
    looks = [*trail.looks, look]
    newest = len(looks) - 1
    for back in BACK:
        at = newest - back
        if at < 0 or captured - trail.times[at] > FADES_S:
            return False
        if motion.change(looks[at], look) > motion.FADED:
            aside = max(1, back // 4)
            between = sorted({at + aside, at + back // 2, newest - aside})
            return median_low(motion.mixed(looks[at], looks[one], look) for one in between) < motion.BLENDED
    return False


def _is_between(before: Floats, between: Floats, after: Floats, trail: Trail) -> bool:
    """Whether a picture is nothing but a mixture of those around it, or of the one shown just before it and after."""
    earlier = trail.just_before(between, before)
    return _is_mixture(before, between, after) or (earlier is not None and _is_mixture(earlier, between, after))


def _is_mixture(before: Floats, between: Floats, after: Floats) -> bool:
    change = min(motion.change(before, between), motion.change(between, after))
    return motion.mixed(before, between, after) < max(motion.LEFT, motion.MIXED * change)
