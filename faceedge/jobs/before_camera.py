"""Shots of one camera in; who stands there alone, and who has not left since, out. Pure: time comes with the shots."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from faceedge.gallery.search import similarity
from faceedge.jobs.burst import CROWD, Burst, instruction
from faceedge.jobs.enroll import Eyes
from faceedge.jobs.vision import Portrait
from faceedge.types import Shot, Template

ALONE_S = 1.0
"""Nobody else was seen for so long."""
LEFT_S = 2.0
"""Who was not seen for so long has left. A face that looks away for a moment comes back within a second."""
SHADE_S = 60.0
"""A face that never leaves, as on a poster, keeps newcomers out no longer than this."""


class LonePerson:
    """Collects good shots that differ, all of one track, while no other face is seen."""

    def __init__(self, eyes: Eyes, start_s: float) -> None:
        self.burst = Burst(lambda a, b: similarity(a, b, eyes.metric), eyes.thresholds.grey, start_s)
        self._start_s = start_s
        self._space = eyes.space
        self._track = 0
        self._seen: dict[int, float] = {}

    def see(self, shot: Shot, template: Template | None) -> None:
        """One shot of the camera; template: of one that is good enough for that."""
        if shot.captured < self._start_s or self.burst.is_complete:
            return
        recent = {track: at_s for track, at_s in self._seen.items() if shot.captured - at_s < ALONE_S}
        self._seen = recent | {shot.track: shot.captured}
        if len(self._seen) > 1:
            self.burst.pass_over(CROWD)
            return
        if shot.track != self._track:  # perhaps somebody else, so nothing of before is kept
            self._track = shot.track
            self.burst.start_over()
        hint = instruction(shot.assessment)
        if hint is not None or template is None or template.space != self._space:  # as while recognisers change
            self.burst.pass_over(hint or "hold still")
            return
        portrait = Portrait(shot.face, shot.crop, shot.assessment, template)
        self.burst.feed(shot.crop, [portrait], shot.captured)


@dataclass(slots=True)
class Shade:
    """Who was before a camera while somebody was enrolled there: their tracks open nothing, however long they stay.

    Nor does who is seen later, until nobody was seen for a while: a track may break, and a new one be the same person.
    """

    through: int = 0
    """Tracks are numbered as they come; up to this one they count."""
    until_s: float = math.inf
    """After this newcomers pass in any case; set when the enrolment ends."""
    _seen_s: float = field(default=-math.inf)
    _is_over: bool = field(default=False)

    def end(self, now: float) -> None:
        """The enrolment is over."""
        self.until_s = now + SHADE_S

    def see(self, shot: Shot) -> None:
        """Every shot of the camera, in order."""
        has_ended = self.until_s < math.inf
        is_empty = shot.captured - self._seen_s >= LEFT_S and shot.track > self.through
        self._is_over |= has_ended and (is_empty or shot.captured > self.until_s)
        self._seen_s = shot.captured
        if not self._is_over:
            self.through = max(self.through, shot.track)

    def covers(self, track: int) -> bool:
        """Whether this track opens nothing."""
        return track <= self.through
