"""Which votes of a face count: those that show something new, and follow each other as those of one head do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faceedge import motion
from faceedge.votes import Vote


@dataclass(frozen=True, slots=True)
class Continuity:
    """still: changes below are the same picture again. jump: changes above are a cut. mixed: what lies between two
    pictures by less than that is a cross-fade of the two. See `motion`."""

    still: float = motion.STILL
    jump: float = motion.JUMP
    mixed: float = motion.MIXED

    def joined(self, votes: Sequence[Vote], newest: Vote) -> tuple[list[Vote], bool]:
        """The votes that count now, oldest first, and whether the newest shows something new.

        A picture takes the place of those that showed the same, so it is never counted twice; after a cut nothing that
        was before it counts.
        """
        changes = [motion.change(vote.look, newest.look) for vote in votes]
        if changes and changes[-1] > self.jump:
            return [newest], True
        kept = [vote for vote, change in zip(votes, changes, strict=True) if change >= self.still]
        is_new = len(kept) == len(votes)
        if is_new and len(kept) >= 2 and motion.mixed(kept[-2].look, kept[-1].look, newest.look) < self.mixed:
            kept = kept[:-1] if motion.change(kept[-2].look, newest.look) <= self.jump else []
        return [*kept, newest], is_new
