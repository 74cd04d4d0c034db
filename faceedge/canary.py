"""Networks on trial that decide together with those that serve, about a share of the tracks. They can only take away:
whoever is let in there has been recognised by both, each by its own numbers.

A `second` of the recognise stage, on its thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b

from faceedge.bands import lesser
from faceedge.bundle import Bundle
from faceedge.hearing import Hearing
from faceedge.types import Band, Match, Shot, Template
from faceedge.witness import bands_of

LATE_S = 0.25
"""Half of the time that a decision has."""
LATER = 1.5
"""So many times what the serving networks take, where that is longer."""
REST_S = 1.0
"""After an answer that came too late nobody is asked: several of them in one batch would look as if the stage hung."""


class Canary:
    """share: of the tracks, 0..1. It asks no more once anything speaks against the networks on trial."""

    def __init__(
        self, serving: Bundle, hearing: Hearing, share: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._serving = serving
        self._hearing = hearing
        self._share = share
        self._clock = clock
        self._rests_until = -math.inf
        self._is_over = False

    def takes(self, camera: str, track: int) -> bool:
        """Whether both decide about this track. The same track gets the same answer until the trial ends."""
        return not self._is_over and portion(camera, track) < self._share

    def heard(self, shot: Shot, _template: Template, match: Match) -> Match:
        """The match, and what it may count for at most, where both decide. Never raises.

        A shot that was cut before the trial began, and so without its frame, is the serving networks' alone.
        """
        if shot.frame is None or not self.takes(shot.camera, shot.track):
            return match
        names_somebody = any(band != "none" for band in bands_of(self._serving, shot, match))
        most = self._most(shot, match)
        return agreed(match, most) if names_somebody else match

    def _most(self, shot: Shot, match: Match) -> Band:
        """What those on trial let it count for; nothing while they rest."""
        if (began := self._clock()) < self._rests_until:
            return "none"
        within_s = max(LATE_S, LATER * self._hearing.usual_s)
        most = self._hearing.ask(shot, match, within_s=within_s)
        if self._clock() - began > within_s:
            self._rests_until = self._clock() + REST_S
        self._is_over = bool(self._hearing.verdict())
        return most

    def took(self, seconds: float, shots: int) -> None:
        """See `Hearing.took`."""
        self._hearing.took(seconds, shots)


def agreed(match: Match, most: Band) -> Match:
    """A match that counts for no more than both say."""
    return replace(match, most=lesser(match.most, most))


def portion(camera: str, track: int) -> float:
    """A number in [0, 1) that is any number's equal by chance, and always the same for a track."""
    digest = blake2b(f"{camera}/{track}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
