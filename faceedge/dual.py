"""The recogniser before as a second opinion, about people whom the one that serves does not know yet.

It is asked only where the serving one finds nobody. It says who it is among everybody that it knows, by its own
numbers, and counts only if that is one of those people: who merely looks like them is found to be somebody else.
Templates of the two are never compared. What it is sure of is offered as a sighting, so that an operator can have the
person enrolled again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faceedge.bands import ANYWHERE, Limits
from faceedge.bundle import Bundle
from faceedge.errors import FaceedgeError
from faceedge.types import Band, Match, Shot, Template
from faceedge.witness import Testimony, Witness, worth

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """Both, for what a recognise stage calls `second`; the rosters of both are followed. before: the bundle that served
    until now. keep: receives a shot, cut for the serving recogniser, and the id of who it shows for certain; it must
    not wait."""

    serving: Bundle
    before: Bundle
    keep: Callable[[Shot, str], None]


class Dual:
    """A `second` of the recognise stage. One thread, and the shots must carry their frames."""

    def __init__(self, opinion: Opinion) -> None:
        self._serving = opinion.serving
        self._before = opinion.before
        self._keep = opinion.keep
        self._witness = Witness(opinion.before, opinion.serving)
        self._is_broken = False

    def heard(self, shot: Shot, _template: Template, match: Match) -> Match:
        """The match of whoever knows the face: in doubt that of the serving recogniser. One of the other is told on the
        scale of the serving one, and counts for no more than it would have by the other's own numbers."""
        if shot.frame is None or self._is_found(shot, match) or self._serving.roster.covers(self._before.roster):
            return match
        testimony = self._asked(shot)
        if testimony is None or testimony.match is None:
            return match
        person = testimony.match.person
        if person is None or self._serving.roster.knows(person):
            return match
        most = worth(self._before, testimony.shot, testimony.match)
        if most == "none":
            return match
        if most == "trusted" and self._is_sure(shot, testimony.match):
            self._keep(shot, person)
        return on_scale(testimony.match, self._before.numbers.usual, self._serving.numbers.usual, most)

    def took(self, seconds: float, shots: int) -> None:
        """What the serving recogniser takes is nobody's concern here."""

    def _asked(self, shot: Shot) -> Testimony | None:
        try:
            testimony = self._witness.look(shot)
        except Exception as error:  # as of whatever looks on (`hearing.py`): a stage that fails costs everybody's votes
            if not self._is_broken:
                words = str(error) if isinstance(error, FaceedgeError) else type(error).__name__
                log.error("the recogniser before gives no second opinion: %s", words)
            self._is_broken = True
            return None
        self._is_broken = False
        return testimony

    def _is_found(self, shot: Shot, match: Match) -> bool:
        """Whether the serving recogniser finds anybody, at the door that asks for least."""
        doors = self._serving.judge.doors.get(shot.camera) or {ANYWHERE: self._serving.numbers.usual}
        return match.person is not None and any(match.similarity >= limits.grey for limits in doors.values())

    def _is_sure(self, shot: Shot, match: Match) -> bool:
        """Sure enough to stand for a person later: by the strictest score, in a picture that both trust."""
        usual = self._serving.numbers.usual
        return match.similarity >= self._before.numbers.usual.strict and shot.assessment.quality >= usual.trusted


def on_scale(match: Match, theirs: Limits, ours: Limits, most: Band) -> Match:
    """What a score of another recogniser is worth on the scale of this one: their grey, match and strict thresholds lie
    on ours, straight lines between them. The lead over the second person is as much above, or below, what is asked."""
    knots = np.array([theirs.grey, theirs.match, theirs.strict]), np.array([ours.grey, ours.match, ours.strict])
    within = float(np.interp(match.similarity, *knots))
    beyond = max(match.similarity - theirs.strict, 0.0) + min(match.similarity - theirs.grey, 0.0)
    return Match(match.person, min(1.0, within + beyond), match.margin - theirs.margin + ours.margin, most)
