"""A trial under way: asks the networks beside those that serve about a shot, and counts what both say.

Used by `Shadow` from a thread of its own, by `Canary` on the hot path. Whatever the networks on trial do counts against
them and goes no further.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

from faceedge.backends.base import Engine
from faceedge.bundle import Bundle
from faceedge.errors import FaceedgeError, one_line
from faceedge.health.machine import resident
from faceedge.manifest import Role
from faceedge.trial import NOT_FINITE, Look, Opinion, Trial
from faceedge.types import Band, Match, Shot
from faceedge.witness import Testimony, Witness, worth

log = logging.getLogger(__name__)

LATE = "an answer that came too late to be waited for"
LONGEST_ERROR = 120
MB = 1_000_000


class Hearing:
    """`ask` belongs to one thread, `took` to another, the rest to any.

    detects_s: what the serving detector takes for a picture, 0 where nobody knows; asked where the other has one of
    its own, for then its time counts.
    """

    def __init__(
        self, serving: Bundle, witness: Witness, trial: Trial, detects_s: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._serving = serving
        self._witness = witness
        self._trial = trial
        self._detects_s = detects_s
        self._serving_s = 0.0
        self._has_failed = False
        self._not_enrolled = 0
        self._lock = threading.Lock()

    def took(self, seconds: float, shots: int) -> None:
        """The serving networks took so long to recognise a batch."""
        if shots:
            self._serving_s = seconds / shots

    @property
    def usual_s(self) -> float:
        """What recognising one shot took the serving networks last; 0 while nobody knows."""
        return self._serving_s

    def ask(self, shot: Shot, match: Match, *, within_s: float = math.inf) -> Band:
        """What the shot may count for in favour of the person matched, if it were for the networks on trial. `none`
        where they see somebody else or nobody, fail, or take longer than `within_s`; and of people who are not enrolled
        for them, which is not theirs to answer for."""
        if match.person is not None and not self._witness.bundle.roster.knows(match.person):
            self._not_enrolled += 1
            return "none"
        testimony, error = self._testimony(shot)
        if testimony is not None and testimony.whole_s > within_s:
            testimony, error = None, LATE
        second = self._second(testimony) if testimony is not None else None
        ours = Opinion(
            match.person, worth(self._serving, shot, match), match.similarity - self._serving.numbers.usual.match,
            self._seconds(testimony),
        )  # fmt: skip
        with self._lock:
            self._trial.note(Look(shot.camera, shot.track, ours, second, error))
        return second.band if second is not None and second.person == match.person else "none"

    def verdict(self, *, is_over: bool = False) -> str:
        """See `Trial.verdict`."""
        with self._lock:
            return self._trial.verdict(is_over=is_over)

    def report(self) -> dict[str, Any]:
        """See `Trial.report`. not_enrolled: shots left out because whoever they are like is not enrolled for those on
        trial. memory_mb: of engines that only one of both uses, by role, and of the whole process."""
        with self._lock:
            told = self._trial.report()
        ours, theirs = self._serving.vision.engines, self._witness.bundle.vision.engines
        memory = {"serving": _own(ours, theirs), "second": _own(theirs, ours), "process": resident().now // MB}
        return {**told, "not_enrolled": self._not_enrolled, "memory_mb": memory}

    def _testimony(self, shot: Shot) -> tuple[Testimony | None, str]:
        try:
            testimony = self._witness.look(shot)
        except Exception as error:  # what broken networks make their families raise is nobody's to list
            words = str(error) if isinstance(error, FaceedgeError) else type(error).__name__
            if not self._has_failed:
                log.warning("the networks on trial failed: %s (said once, counted from now on)", words)
            self._has_failed = True
            return None, one_line(words, LONGEST_ERROR)
        if testimony is not None and not _is_finite(testimony):
            return None, NOT_FINITE
        return testimony, ""

    def _second(self, testimony: Testimony) -> Opinion:
        bundle, match = self._witness.bundle, testimony.match
        seconds = testimony.embedding_s + (testimony.detecting_s if self._detects_s() > 0 else 0.0)
        if match is None:
            return Opinion(None, "none", 0.0, seconds)
        above = match.similarity - bundle.numbers.usual.match
        return Opinion(match.person, worth(bundle, testimony.shot, match), above, seconds)

    def _seconds(self, testimony: Testimony | None) -> float:
        """Of the serving networks, for what those on trial did; 0 where the two do not compare."""
        if testimony is None or testimony.match is None or not self._serving_s:
            return 0.0
        if not self._witness.has_own_eyes or self._detects_s() <= 0:
            return self._serving_s
        return self._serving_s + self._detects_s() if testimony.detecting_s else 0.0


def _is_finite(testimony: Testimony) -> bool:
    match = testimony.match
    said = (testimony.shot.assessment.quality, *((match.similarity,) if match is not None else ()))
    return all(math.isfinite(number) for number in said) and not (match is not None and math.isnan(match.margin))


def _own(engines: dict[Role, Engine], others: dict[Role, Engine]) -> dict[str, float]:
    """MB of the engines that the others do not use, too."""
    mine = {role: engine.memory for role, engine in engines.items() if others.get(role) is not engine}
    return {role: round((held.weights + held.working) / MB, 1) for role, held in mine.items()}
