"""From measurements to findings: what a recogniser's and a detector's gates say, each figure in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceedge.quantize.boxes import Agreement
from faceedge.quantize.gates import Finding, Gates, at_least, at_most, enough, stated
from faceedge.quantize.intervals import Interval
from faceedge.quantize.rates import Drop, Rate, accuracy_drop, rates_at
from faceedge.quantize.scores import PairScores, Scores, shift


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """What a recogniser's gates look at. cosines: float64 (crops,), between the FP32 and the INT8 output of each.

    pairs: labelled pairs, if there are any; at_source, at_build: each build's match threshold.
    """

    cosines: Scores
    pairs: PairScores | None = None
    at_source: float = 0.0
    at_build: float = 0.0


def recogniser_findings(seen: Recognised, gates: Gates, seed: int) -> tuple[Finding, ...]:
    """Cosines, and from labelled pairs the rates, the shifts and the drop in accuracy."""
    findings = _cosine_findings(seen.cosines, gates)
    pairs = seen.pairs
    if pairs is None or not pairs.genuine or not pairs.impostors:
        return (*findings, _accuracy(gates, None, None, "no labelled pairs, so the cosines alone decide"))
    draw = gates.drawing(seed)
    drop = accuracy_drop(pairs, seen.at_source, seen.at_build, draw)
    rates = [_rate_finding(rate, pairs) for rate in rates_at(pairs, gates.fars, draw)]
    shifts = [_shift_finding(name, pairs, same) for name, same in (("genuine", True), ("impostor", False))]
    return (*findings, _drop_finding(drop, pairs, gates), *rates, *shifts)


def _cosine_findings(cosines: Scores, gates: Gates) -> tuple[Finding, ...]:
    count = len(cosines)
    crops = enough("crops", count, gates.min_crops, "face crops were compared")
    if not count:
        return (crops,)
    mean, p1, lowest = float(cosines.mean()), float(np.quantile(cosines, 0.01)), float(cosines.min())
    return (
        crops,
        at_least("cosine_mean", mean, gates.cosine_mean, f"mean cosine to FP32 over {count:,} crops"),
        at_least("cosine_p1", p1, gates.cosine_p1, "cosine to FP32 that 99 % of the crops reach"),
        stated("cosine_min", lowest, f"lowest cosine {lowest:.4f}"),
    )


def _drop_finding(drop: Drop, pairs: PairScores, gates: Gates) -> Finding:
    """Passed when the interval lies below the limit, failed when the drop is beyond it and surely no chance."""
    low, high = drop.interval
    passed = True if high <= gates.accuracy_drop else False if drop.drop > gates.accuracy_drop and low > 0 else None
    words = (
        f"accuracy {drop.source:.2%} in FP32 and {drop.build:.2%} in INT8 at each one's match threshold: a drop of"
        f" {_points(drop.drop)} points ({_points(low)} to {_points(high)}); {_pairs(pairs)},"
        f" {drop.lost} decided rightly only by FP32, {drop.won} only by INT8"
    )
    if passed is None:
        words += f"; these pairs cannot resolve {_points(gates.accuracy_drop)} points, so the cosines decide"
    return _accuracy(gates, drop, passed, words)


def _accuracy(gates: Gates, drop: Drop | None, passed: bool | None, words: str) -> Finding:
    value, interval = (drop.drop, drop.interval) if drop else (None, None)
    return Finding(
        name="accuracy_drop", value=value, limit=gates.accuracy_drop, bound="at most", passed=passed, words=words,
        interval=interval,
    )  # fmt: skip


def _rate_finding(rate: Rate, pairs: PairScores) -> Finding:
    name = f"tar_at_far_{rate.far:g}"
    if rate.source is None or rate.build is None:
        return stated(name, None, f"true matches at {100 * rate.far:g} % false ones: not stated; {rate.why_silent}")
    low, high = rate.drop_interval
    words = (
        f"true matches at {100 * rate.far:g} % false ones: {rate.source:.2%} in FP32 ({_shares(rate.source_interval)})"
        f" and {rate.build:.2%} in INT8 ({_shares(rate.build_interval)}), a loss of"
        f" {_points(rate.source - rate.build)} points ({_points(low)} to {_points(high)}); {_pairs(pairs)} of"
        f" {pairs.people} people"
    )
    return stated(name, rate.build, words, rate.build_interval)


def _shift_finding(name: str, pairs: PairScores, same: bool) -> Finding:
    moved = shift(pairs, same)
    words = f"{name} scores move by {moved.mean:+.4f}, give or take {moved.spread:.4f}, over {moved.pairs:,} pairs"
    return stated(f"{name}_shift", moved.mean, words)


def detector_findings(seen: Agreement, gates: Gates) -> tuple[Finding, ...]:
    """F1 against FP32 with recall and precision, landmark error, and how well the boxes cover each other."""
    faces = enough("faces", seen.source, gates.min_faces, f"faces were found in FP32 on {seen.photos:,} photos")
    counts = f"{seen.matched:,} found by both, {seen.source:,} by FP32, {seen.build:,} by INT8"
    f1 = at_least("detector_f1", seen.f1, gates.detector_f1, f"F1 against FP32 at IoU {gates.iou:g}: {counts}")
    found = (
        faces,
        f1.model_copy(update={"interval": seen.interval}),
        stated("recall", seen.recall, f"{seen.recall:.2%} of the faces of FP32 are found"),
        stated("precision", seen.precision, f"{seen.precision:.2%} of what INT8 finds, FP32 finds too"),
    )
    if not seen.matched:
        return found
    error, worst, overlap = seen.landmark_errors.mean(), np.quantile(seen.landmark_errors, 0.95), seen.overlaps.mean()
    return (
        *found,
        at_most("landmark_error", float(error), gates.landmark_error, "mean landmark error in eye distances"),
        stated("landmark_p95", float(worst), f"95 % of the faces stay within {worst:.4f} eye distances"),
        at_least("box_overlap", float(overlap), gates.box_overlap, "mean overlap (IoU) of the matched boxes"),
    )


def _points(share: float) -> str:
    return f"{100 * share:.2f}"


def _shares(interval: Interval) -> str:
    return f"{interval[0]:.2%} to {interval[1]:.2%}"


def _pairs(pairs: PairScores) -> str:
    return f"{pairs.genuine:,} genuine and {pairs.impostors:,} impostor pairs"
