"""Many figures in few numbers, for report.json and its plots: histograms, the error trade-off. Pure, nameless."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from faceedge.manifest import Part
from faceedge.quantize.intervals import RULE_OF_30
from faceedge.quantize.scores import PairScores, Scores, threshold_at

BINS, POINTS = 60, 40
Few = Annotated[tuple[float, ...], Field(max_length=1000)]


class Histogram(Part):
    """counts of values in equal bins from `low` to `high`."""

    low: float
    high: float
    counts: Annotated[tuple[int, ...], Field(min_length=1, max_length=1000)]


class ScoreSummary(Part):
    """Distributions of the pairs' scores by FP32 (`source`) and INT8 (`build`), in the same bins."""

    genuine_source: Histogram
    genuine_build: Histogram
    impostor_source: Histogram
    impostor_build: Histogram


class ErrorCurve(Part):
    """False non-match rates of both builds at the same false-match rates, down to where 30 false matches are expected.

    floor: below this rate the genuine pairs show no error.
    """

    fmr: Few
    source: Few
    build: Few
    floor: float


def histogram(values: Scores, low: float, high: float, bins: int = BINS) -> Histogram:
    """Values beyond the ends count in the outermost bins."""
    counts, _ = np.histogram(np.clip(values, low, high), bins=bins, range=(low, high))
    return Histogram(low=low, high=high, counts=tuple(counts.tolist()))


def cosine_histogram(cosines: Scores) -> Histogram:
    """From the lowest, rounded down to a hundredth, to 1."""
    lowest = math.floor(100 * float(cosines.min(initial=0.99))) / 100
    return histogram(cosines, lowest, 1.0)


def error_histogram(errors: Scores) -> Histogram:
    """From 0 to the largest, rounded up to a hundredth."""
    return histogram(errors, 0.0, math.ceil(100 * float(errors.max(initial=0.001))) / 100)


def score_summary(scores: PairScores) -> ScoreSummary:
    """In bins that hold all scores of both builds."""
    ends = np.array([scores.source.min(), scores.build.min(), scores.source.max(), scores.build.max()])
    low, high = float(ends.min()), float(max(ends.max(), ends.min() + 1e-3))
    same = scores.same
    return ScoreSummary(
        genuine_source=histogram(scores.source[same], low, high),
        genuine_build=histogram(scores.build[same], low, high),
        impostor_source=histogram(scores.source[~same], low, high),
        impostor_build=histogram(scores.build[~same], low, high),
    )


def error_curve(scores: PairScores) -> ErrorCurve | None:
    """None where there are too few pairs for a curve."""
    if scores.impostors < 2 * RULE_OF_30 or scores.genuine < RULE_OF_30:
        return None
    rates = np.geomspace(RULE_OF_30 / scores.impostors, 0.5, POINTS)
    return ErrorCurve(
        fmr=tuple(rates.tolist()),
        source=_misses(scores.source, scores, rates),
        build=_misses(scores.build, scores, rates),
        floor=1 / scores.genuine,
    )


def _misses(side: Scores, scores: PairScores, rates: NDArray[np.float64]) -> tuple[float, ...]:
    genuine, impostors = side[scores.same], side[~scores.same]
    return tuple(float((genuine < threshold_at(impostors, float(rate))).mean()) for rate in rates)
