"""How much may be done, from how short of memory and how hot the machine is. Pure: readings and a clock in, steps out.

                    pressure above 0.80     halve the batch, at most once a second, down to 2
                    pressure above 0.92     shed one rung as well, at most one every 2 s
    an engine got no memory                 halve the batch, then shed one rung at most every 2 s
    too hot, or too much current            shed one rung, at most one every 10 s
                    pressure below 0.80     climb one rung after 10 s of that, when it is neither hot nor overdrawn
                    pressure below 0.60     then double the batch after 10 s of that, one doubling at a time

0.60, 0.80 and 0.92 are the product's (design); all times here are our choice. What climbs and falls again within 30 s
waits twice as long before it climbs the next time, up to 80 s, so that a machine at its limit does not swing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from faceedge.effort import FULL, Effort

DOUBLE_BELOW, HALVE_ABOVE, SHED_ABOVE = 0.60, 0.80, 0.92
HALVE_S, SHED_S, STRAIN_S = 1.0, 2.0, 10.0
OUT_OF_MEMORY_S = 0.25
"""Networks that fail together, for one shortage, halve the batch once."""
CLIMB_S, CLIMB_MOST_S, RELAPSE_S = 10.0, 80.0, 30.0
LEAST_HALVED = 2
"""Halving ends here: batches of one are the last rung."""


@dataclass(frozen=True, slots=True)
class Rung:
    """name: as published. shed: what is left of an effort when this has been given up as well."""

    name: str
    shed: Callable[[Effort], Effort]


LADDER = (
    Rung("extras", lambda effort: replace(effort, extras=False)),
    Rung("detector_75", lambda effort: replace(effort, detector_scale=0.75)),
    Rung("detector_50", lambda effort: replace(effort, detector_scale=0.5)),
    Rung("camera_10", lambda effort: replace(effort, frame_gap_s=1 / 10)),
    Rung("camera_5", lambda effort: replace(effort, frame_gap_s=1 / 5)),
    Rung("batch_1", lambda effort: replace(effort, batch=1)),
)
"""First what no decision needs; then small faces, which are far from the door; then frames; last the batches."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change. name: `batch`, or that of a rung. less: whether less is done from now on. why: for the operator."""

    name: str
    less: bool
    why: str
    effort: Effort


@dataclass(slots=True)
class _Since:
    """Since when something has been so without a break; None while it is not."""

    at: float | None = None

    def note(self, is_so: bool, now: float) -> None:
        self.at = None if not is_so else now if self.at is None else self.at

    def has_lasted(self, seconds: float, now: float) -> bool:
        return self.at is not None and now - self.at >= seconds


class Governor:
    """One thread at a time. most: members of a batch when nothing is short."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._batch = most
        self._shed = 0
        self._patience_s = CLIMB_S
        self._halved_at = self._shed_at = self._failed_at = -math.inf
        self._climbed_at = self._moved_at = -math.inf
        self._ample, self._bearable, self._calm = _Since(), _Since(), _Since()

    @property
    def effort(self) -> Effort:
        """What may be done now."""
        effort = replace(FULL, batch=self._batch)
        for rung in LADDER[: self._shed]:
            effort = rung.shed(effort)
        return effort

    @property
    def rungs(self) -> list[str]:
        """What has been given up, in the order of the ladder."""
        return [rung.name for rung in LADDER[: self._shed]]

    def read(self, pressure: float | None, source: str, strain: str, now: float) -> Step | None:
        """At most one step. pressure: 0..1, with its source; what is None or no number changes nothing. strain: what
        is too hot or overdrawn, empty when nothing is. now: monotonic s."""
        self._calm.note(not strain, now)
        if pressure is None or not math.isfinite(pressure):
            self._ample.at = self._bearable.at = None
            return self._relieve(strain, now)
        self._ample.note(pressure < DOUBLE_BELOW, now)
        self._bearable.note(pressure < HALVE_ABOVE, now)
        return self._down(pressure, source, now) or self._relieve(strain, now) or self._up(source, now)

    def out_of_memory(self, now: float) -> Step | None:
        """An engine could not get the memory it asked for: half a batch at once, and where that is least, a rung.

        Never more than one rung in 2 s: what was given up last must be able to show that it helps, and every rung
        takes 10 s to come back while small faces are not seen.
        """
        if now - self._failed_at < OUT_OF_MEMORY_S:
            return None
        self._failed_at = now
        why = "an engine got no memory"
        if self._can_halve:
            return self._halve(why, now)
        return self._give_up(why, now) if now - self._shed_at >= SHED_S else None

    def _down(self, pressure: float, source: str, now: float) -> Step | None:
        if pressure > HALVE_ABOVE and self._can_halve and now - self._halved_at >= HALVE_S:
            return self._halve(source, now)
        if pressure > SHED_ABOVE and now - self._shed_at >= SHED_S:
            return self._give_up(source, now)
        return None

    def _relieve(self, strain: str, now: float) -> Step | None:
        return self._give_up(strain, now) if strain and now - self._shed_at >= STRAIN_S else None

    def _up(self, source: str, now: float) -> Step | None:
        """In the reverse order, except that heat alone holds no batch down: large ones are the cheaper ones."""
        if now - self._moved_at < self._patience_s:
            return None
        is_calm = self._calm.has_lasted(self._patience_s, now)
        if self._shed and is_calm:
            return self._take_back(source, now) if self._bearable.has_lasted(self._patience_s, now) else None
        if self._batch < self._most and not self._is_bare and self._ample.has_lasted(self._patience_s, now):
            return self._double(source, now)
        return None

    @property
    def _is_bare(self) -> bool:
        """Everything has been given up; batches are of one, whatever else is said of them."""
        return self._shed == len(LADDER)

    @property
    def _can_halve(self) -> bool:
        return self._batch > LEAST_HALVED and not self._is_bare

    def _halve(self, why: str, now: float) -> Step:
        self._halved_at = now
        self._batch = max(LEAST_HALVED, self._batch // 2)
        return self._less("batch", why, now)

    def _give_up(self, why: str, now: float) -> Step | None:
        if self._is_bare:
            return None
        self._shed_at = now
        self._shed += 1
        return self._less(LADDER[self._shed - 1].name, why, now)

    def _take_back(self, why: str, now: float) -> Step:
        self._shed -= 1
        return self._more(LADDER[self._shed].name, why, now)

    def _double(self, why: str, now: float) -> Step:
        """To the size before this one, so that a batch of 12 goes 6, 3, 2 and the same way back."""
        size = self._most
        while size // 2 > self._batch:
            size //= 2
        self._batch = size
        return self._more("batch", why, now)

    def _less(self, name: str, why: str, now: float) -> Step:
        if self._moved_at == self._climbed_at:  # the first step down after one up
            fell_soon = now - self._climbed_at < RELAPSE_S
            self._patience_s = min(CLIMB_MOST_S, 2 * self._patience_s) if fell_soon else CLIMB_S
        self._moved_at = now
        return Step(name, True, why, self.effort)

    def _more(self, name: str, why: str, now: float) -> Step:
        self._moved_at = self._climbed_at = now
        return Step(name, False, why, self.effort)
