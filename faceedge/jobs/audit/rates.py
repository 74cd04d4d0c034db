"""The rates of a gallery at any threshold, each with its bound, and the thresholds for a stated rate. Pure.

People count alike, however many templates each has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceedge.fit import Basis
from faceedge.jobs.audit import bounds
from faceedge.jobs.audit.findings import Advice, Bounds, LevelFacts, LevelName, MissRate, Point, SearchRate
from faceedge.jobs.audit.scan import Numbers, Scanned, Scores

ERRORS_ENOUGH = 30
"""Errors from which a design effect is measured (rule of 30, ISO/IEC 19795-1)."""
_TAIL_LEAST = 10
_POINTS = 60
_STEPS = 1_000_000
_MOST_PEOPLE = 1 << 30


class Rates:
    """What was scanned, ready to be asked. confidence: of every bound, one-sided."""

    def __init__(self, scanned: Scanned, confidence: float) -> None:
        faces, highest = scanned.faces, scanned.highest
        self.confidence = confidence
        self.people = len(faces.people)
        self.pairs = self.people * (self.people - 1) // 2
        self.floor = highest.floor
        self.scores = highest.scores
        self._scanned = scanned
        self._one, self._other = faces.owner[highest.one], faces.owner[highest.other]
        self._weights = 1 / (faces.counts[self._one] * faces.counts[self._other])
        self._errors = np.cumsum(self._weights)
        self._effect = self._least_effect()

    def false_match(self, threshold: float) -> Bounds | None:
        """None without two people, or below what is kept."""
        if self.people < 2 or threshold < self.floor:
            return None
        return self._bounded(self._reaching(threshold))

    def search(self, threshold: float) -> SearchRate | None:
        """Everybody as a stranger to all others; likeness is mutual, so that only every second person counts."""
        if self.people < 2:
            return None
        rate = float(self._shares(self._scanned.other >= threshold, np.ones(len(self._scanned.other), bool)).mean())
        apart = self.people // 2
        return SearchRate(rate, bounds.upper(rate * apart, apart, self.confidence), self.people)

    def miss(self, threshold: float) -> MissRate:
        """By each template's nearest of the same person."""
        told = ~np.isnan(self._scanned.own)
        shares = self._shares(self._scanned.own < threshold, told)
        if not len(shares):
            return MissRate(None, None, 0)
        rate = float(shares.mean())
        return MissRate(rate, bounds.upper(rate * len(shares), len(shares), self.confidence), len(shares))

    def level(self, name: LevelName, threshold: float) -> LevelFacts:
        """What a threshold does here."""
        count = self._reaching(threshold)
        is_kept = threshold >= self.floor
        keys = self._one[:count] * self.people + self._other[:count]
        return LevelFacts(
            name, threshold, count if is_kept else self._counted(threshold), self._scanned.faces.impostors,
            len(np.unique(keys)) if is_kept else None, self.false_match(threshold), self.search(threshold),
            self.miss(threshold),
        )  # fmt: skip

    def curve(self) -> tuple[Point, ...]:
        """Thresholds from where most impostors are refused to where nobody of them is left."""
        if not len(self.scores):
            return ()
        low, high = max(float(self.scores[-1]), float(np.quantile(self.scores, 0.5))), float(self.scores[0])
        return tuple(self._point(float(at)) for at in np.linspace(low, high + 1e-6, _POINTS))

    def _point(self, threshold: float) -> Point:
        found = self.false_match(threshold)
        assert found is not None, "the curve begins at the floor"
        return Point(threshold, found.rate, found.likely, self.miss(threshold).rate)

    def advice(self, name: LevelName, fmr: float, shipped: float, gate: float) -> Advice:
        """The threshold for a false-match rate of `fmr`. gate: the score from which enrolment refuses somebody for
        looking like somebody else.

        The lowest one at which the bound holds, where that is not above the shipped one, or the pairs are so many that
        the bound lies close to the estimate. Else few people alone would drive it up: then the shipped one, or what the
        tail of their scores says where that is higher. Pairs above the gate are missing, as if there were no such
        people: what is looser than shipped, or below the gate, was counted and not measured.
        """
        measured = self._measured(fmr)
        is_carried = fmr * self.pairs / self._effect >= ERRORS_ENOUGH
        if measured is not None and (measured <= shipped or is_carried):
            if measured < max(shipped, gate):
                return Advice(name, fmr, shipped, measured, "counted", None, None)
            return self._advised(name, fmr, shipped, measured, "measured")
        carried = self._extrapolated(fmr)
        if carried is not None and carried > shipped:
            return self._advised(name, fmr, shipped, carried, "extrapolated")
        return self._advised(name, fmr, shipped, shipped, "shipped")

    def _advised(self, name: LevelName, fmr: float, shipped: float, threshold: float, basis: Basis) -> Advice:
        found = self.false_match(threshold)
        if found is None or found.rate >= fmr:
            return Advice(name, fmr, shipped, threshold, basis, found.likely if found else None, None)
        needed = None if found.likely <= fmr else self._needed(fmr, found.rate)
        return Advice(name, fmr, shipped, threshold, basis, found.likely, needed)

    def _measured(self, fmr: float) -> float | None:
        """The lowest threshold whose bound holds; None when not even the highest does."""
        if self.people < 2 or self._bounded(0).likely > fmr:
            return None
        low, high = 0, len(self.scores)
        while low < high:  # the most pairs that may be let in
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._bounded(middle).likely <= fmr else (low, middle - 1)
        # Above the first that may not be let in, and above what is equal to it.
        return _above(float(self.scores[low])) if low < len(self.scores) else None

    def _extrapolated(self, fmr: float) -> float | None:
        """An exponential tail through the 30 highest pairs of people; lighter tails, as scores of faces have, end
        sooner. None without at least 10."""
        if self.people < 2:
            return None
        count = int(np.searchsorted(self._errors, ERRORS_ENOUGH))
        count = min(count, len(self.scores) - 1)
        if count < 1 or self._errors[count] < _TAIL_LEAST:
            return None
        edge = float(self.scores[count])
        errors = float(self._errors[count - 1])
        excess = float((self._weights[:count] * (self.scores[:count] - edge)).sum()) / errors
        return _above(edge + excess * math.log(max(errors / self.pairs / fmr, 1.0)))

    def _needed(self, fmr: float, rate: float) -> int:
        """People who would show the rate `fmr` where `rate` is seen, with the design effect that these show."""
        share = (self._effect - 1) / max(self.people - 2, 1)

        def shows(people: int) -> bool:
            size = people * (people - 1) / 2 / (1 + share * max(people - 2, 0))
            return bounds.upper(rate * size, size, self.confidence) <= fmr

        high = 2
        while high < _MOST_PEOPLE and not shows(high):
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if shows(middle) else (middle, high)
        return high

    def _least_effect(self) -> float:
        """The design effect where errors are many enough; the largest there can be where they never are."""
        if self.people < 3:
            return 1.0
        count = int(np.searchsorted(self._errors, ERRORS_ENOUGH)) + 1
        if count > len(self._errors):
            return self.pairs / (self.people // 2)
        return bounds.effect_of(self._sums(count), self.people)

    def _bounded(self, count: int) -> Bounds:
        return bounds.bounds(self._sums(count), self.people, self._effect, self.confidence)

    def _sums(self, count: int) -> NDArray[np.float64]:
        """Of each person the pairs that match when the `count` highest do."""
        weights = self._weights[:count]
        sums = np.bincount(self._one[:count], weights, self.people)
        return np.asarray(sums + np.bincount(self._other[:count], weights, self.people), np.float64)

    def _reaching(self, threshold: float) -> int:
        return int(np.searchsorted(-self.scores, -threshold, side="right"))

    def _counted(self, threshold: float) -> int:
        histogram = self._scanned.histogram
        return int(histogram.impostors[np.searchsorted(histogram.edges[:-1], threshold) :].sum())

    def _shares(self, holds: NDArray[np.bool_], told: NDArray[np.bool_]) -> Scores:
        """Of each person with any template `told`, the share of these that `holds`."""
        owner: Numbers = self._scanned.faces.owner[told]
        counts = np.bincount(owner, minlength=self.people)
        return np.asarray(np.bincount(owner, holds[told], self.people)[counts > 0] / counts[counts > 0], np.float64)


def rising(advice: Callable[[LevelName], Advice], names: tuple[LevelName, ...]) -> tuple[Advice, ...]:
    """The advice for each level, none below the one before: a level that is lifted takes over its basis and bound."""
    found: list[Advice] = []
    for name in names:
        one = advice(name)
        if found and one.threshold < found[-1].threshold:
            before = found[-1]
            one = replace(before, name=name, fmr=one.fmr, shipped=one.shipped, needed=one.needed)
        found.append(one)
    return tuple(found)


def _above(score: float) -> float:
    """The next millionth above, so that the score itself is refused."""
    return (math.floor(score * _STEPS) + 1) / _STEPS
