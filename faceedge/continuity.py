"""Which votes of a face count: those that show something new, and come of one head that moves. Pure.

A photo shows nothing new. Photos one after another do, but they jump, or stand still before and after a single step, or
are faded into each other; a head does neither. After such a cut nothing counts that was before it, or comes soon after.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from faceedge import motion
from faceedge.types import Floats
from faceedge.votes import Vote

SETTLES_S = 1.5
"""After a cut a face must be seen for so long without another one, before its pictures count again."""


@dataclass(slots=True)
class Trail:
    """The looks of the newest shots of a face, oldest first, the change that led to each, and when the last cut was."""

    cut: float = -math.inf
    looks: deque[Floats] = field(default_factory=lambda: deque(maxlen=2))
    steps: deque[float] = field(default_factory=lambda: deque(maxlen=2))

    def stand(self) -> None:
        """The very same picture has come again."""
        self.steps.append(0.0)

    def add(self, look: Floats, step: float) -> None:
        self.looks.append(look)
        self.steps.append(step)


@dataclass(frozen=True, slots=True)
class Continuity:
    """still: changes below are the same picture again. abrupt: one above, with none before and after it, is a cut, and
    so is any above `jump`. mixed: a picture does not count when the two around it leave less than this share of what
    changes between it and the nearer of them; when these two differ by `faded`, that was a cross-fade, which is a cut.
    See `motion`."""

    still: float = motion.STILL
    abrupt: float = motion.ABRUPT
    jump: float = motion.JUMP
    mixed: float = motion.MIXED
    faded: float = motion.FADED
    settles_s: float = SETTLES_S

    def joined(self, votes: Sequence[Vote], newest: Vote, trail: Trail) -> tuple[list[Vote], bool]:
        """The votes that count now, oldest first, and whether the newest shows something new.

        A picture takes the place of one that showed the same, so it is never counted twice; it stays measured by what
        that showed, so that slow movement adds up.
        """
        look = newest.look
        step = motion.change(trail.looks[-1], look) if trail.looks else self.still
        if self._is_cut(trail, look, step):
            trail.cut = newest.shot.captured
        trail.add(look, step)
        if newest.shot.captured - trail.cut < self.settles_s:
            return [newest], trail.cut == newest.shot.captured
        changes = [motion.change(vote.look, look) for vote in votes]
        same = [vote for vote, change in zip(votes, changes, strict=True) if change < self.still]
        others = [vote for vote, change in zip(votes, changes, strict=True) if change >= self.still]
        if same:
            return [*others, replace(newest, look=same[-1].look)], False
        if len(votes) >= 2 and self._is_between(votes[-2].look, votes[-1].look, look):
            others = others[:-1] if changes[-2] <= self.jump else []
        return [*others, newest], True

    def _is_cut(self, trail: Trail, look: Floats, step: float) -> bool:
        if step > self.jump:
            return True
        if len(trail.steps) == 2 and step < self.still:
            before, last = trail.steps
            return before < self.still and last >= self.abrupt
        if len(trail.looks) < 2 or motion.change(trail.looks[0], look) < self.faded:
            return False
        return self._is_between(trail.looks[0], trail.looks[1], look)

    def _is_between(self, before: Floats, between: Floats, after: Floats) -> bool:
        """Whether a picture shows nothing but a mixture of those around it."""
        change = min(motion.change(before, between), motion.change(after, between))
        return change >= self.still and motion.mixed(before, between, after) < self.mixed * change
