"""Rates on labelled pairs, each with how sure it is: true matches at a false-match rate, the drop in accuracy. Pure.

Rates are shares, 0..1. A rate that the pairs cannot carry is not stated; the words say why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceedge.quantize import intervals
from faceedge.quantize.intervals import RULE_OF_30, Counts, Drawing, Interval
from faceedge.quantize.pairs import Mask
from faceedge.quantize.scores import PairScores, Scores, threshold_at

MIN_PEOPLE, MIN_GENUINE = 10, 30
"""Below, drawing people again and again says nothing, and no true-match rate is stated."""


@dataclass(frozen=True, slots=True)
class Rate:
    """True-match rate at one false-match rate, of both builds, each at its own threshold.

    drop: source's minus build's, with its interval. why_silent: in words, when the pairs cannot carry the rate; the
    figures are then None and the intervals say nothing.
    """

    far: float
    source: float | None = None
    build: float | None = None
    source_interval: Interval = (0.0, 1.0)
    build_interval: Interval = (0.0, 1.0)
    drop_interval: Interval = (-1.0, 1.0)
    why_silent: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """Accuracy: mean of the share of genuine pairs accepted and of impostor pairs refused. drop: source's minus
    build's, on the same pairs. lost, won: pairs that only the source or only the build decides rightly."""

    source: float
    build: float
    interval: Interval
    lost: int
    won: int

    @property
    def drop(self) -> float:
        return self.source - self.build


def rates_at(scores: PairScores, fars: Sequence[float], draw: Drawing) -> tuple[Rate, ...]:
    """True-match rates where the false-match rate x the impostor pairs is at least 30 (rule of 30), else silence.

    The intervals are the wider of Wilson's and of a bootstrap that draws people and sets both thresholds anew.
    """
    carried = [far for far in fars if not _too_few(scores, far)]
    drawn = dict(zip(carried, _drawn_rates(scores, carried, draw), strict=True)) if carried else {}
    return tuple(
        _rate(scores, far, drawn[far], draw.confidence) if far in drawn else Rate(far, why_silent=_too_few(scores, far))
        for far in fars
    )


def _rate(scores: PairScores, far: float, drawn: Scores, confidence: float) -> Rate:
    """drawn: the rates of both builds, (rounds, 2)."""
    rates, around = [], []
    for side, column in zip((scores.source, scores.build), drawn.T, strict=True):
        hits = int((side[scores.same] >= threshold_at(side[~scores.same], far)).sum())
        rates.append(hits / scores.genuine)
        certain = intervals.wilson(hits, scores.genuine, confidence)
        around.append(intervals.wider(certain, intervals.percentiles(column, confidence)))
    drop = intervals.percentiles(drawn[:, 0] - drawn[:, 1], confidence)
    return Rate(far, rates[0], rates[1], around[0], around[1], drop)


def _too_few(scores: PairScores, far: float) -> str:
    if scores.people < MIN_PEOPLE:
        return f"{scores.people} people are fewer than the {MIN_PEOPLE} that a rate needs"
    if scores.genuine < MIN_GENUINE:
        return f"{scores.genuine} genuine pairs are fewer than the {MIN_GENUINE} that a rate needs"
    if far * scores.impostors < RULE_OF_30 - 1e-6:
        needed = math.ceil(RULE_OF_30 / far - 1e-6)
        return (
            f"{scores.impostors:,} impostor pairs are fewer than the {needed:,} that this rate needs"
            f" ({RULE_OF_30} expected errors, ISO/IEC 19795-1)"
        )
    return ""


def _drawn_rates(scores: PairScores, fars: Sequence[float], draw: Drawing) -> Scores:
    """Rates of source and build, (fars, rounds, 2), each round with people drawn anew and thresholds set anew."""
    sides = [_Side(column, scores.same, max(fars)) for column in (scores.source, scores.build)]
    rates = np.empty((len(fars), draw.rounds, 2))
    for at, (ours, theirs) in enumerate(_weights(scores, draw)):
        for column, side in enumerate(sides):
            rates[:, at, column] = side.rates(ours, theirs, fars)
    return rates


class _Side:
    """One build's scores, its highest impostors in order: no threshold lies below them."""

    def __init__(self, scores: Scores, same: Mask, far: float) -> None:
        self.genuine = scores[same]
        impostors = scores[~same]
        count = min(len(impostors), max(2000, math.ceil(10 * far * len(impostors))))
        highest = np.argpartition(-impostors, count - 1)[:count]
        self.falling = highest[np.argsort(-impostors[highest])]
        self.edges = impostors[self.falling]

    def rates(self, ours: Counts, theirs: Counts, fars: Sequence[float]) -> list[float]:
        """Share of the genuine weight above the threshold that the impostors' weights set, for each rate."""
        accepted, everybody = np.cumsum(theirs[self.falling]), theirs.sum()
        first = np.searchsorted(accepted, np.array(fars) * everybody, side="right")
        edges = self.edges[np.minimum(first, len(self.edges) - 1)]
        return [float(ours[self.genuine > edge].sum() / max(ours.sum(), 1)) for edge in edges]


def _weights(scores: PairScores, draw: Drawing) -> Iterator[tuple[Counts, Counts]]:
    """How often each genuine and each impostor pair is in each draw of people."""
    ours = scores.one[scores.same]
    one, other = scores.one[~scores.same], scores.other[~scores.same]
    for drawn in intervals.draws(scores.people, draw):
        yield drawn[ours], drawn[one] * drawn[other]


def accuracy_drop(scores: PairScores, at_source: float, at_build: float, draw: Drawing) -> Drop:
    """What INT8 costs in accuracy on the same pairs, each build at its own threshold.

    The interval is the wider of two: Tango's for paired shares, genuine and impostor joined (MOVER), which keeps its
    width where no pair is decided differently; and a bootstrap that draws people, which knows that pairs share them.
    """
    before = (scores.source >= at_source) == scores.same
    after = (scores.build >= at_build) == scores.same
    changed = before.astype(np.int64) - after
    shares = [_paired(changed[scores.same == kind], draw.confidence) for kind in (True, False)]
    (ours, around_ours), (theirs, around_theirs) = shares
    around = intervals.mean_of_two(ours, around_ours, theirs, around_theirs)
    drawn = intervals.percentiles(_drawn_drops(scores, changed, draw), draw.confidence)
    return Drop(
        _accuracy(before, scores.same), _accuracy(after, scores.same), intervals.wider(around, drawn),
        int((changed > 0).sum()), int((changed < 0).sum()),
    )  # fmt: skip


def _paired(changed: NDArray[np.int64], confidence: float) -> tuple[float, Interval]:
    lost, won = int((changed > 0).sum()), int((changed < 0).sum())
    return (lost - won) / max(len(changed), 1), intervals.paired_drop(lost, won, len(changed), confidence)


def _accuracy(right: Mask, same: Mask) -> float:
    return float(right[same].mean() + right[~same].mean()) / 2


def _drawn_drops(scores: PairScores, changed: NDArray[np.int64], draw: Drawing) -> Scores:
    moved = [changed[scores.same], changed[~scores.same]]
    return np.array(
        [
            sum((weights @ kind) / max(weights.sum(), 1) for weights, kind in zip(both, moved, strict=True)) / 2
            for both in _weights(scores, draw)
        ]
    )
