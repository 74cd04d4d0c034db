"""Thresholds that follow the model: the source's match, strict and grey carried over to a build, with evidence. Pure.

In: the source's fit and both builds' scores of the same labelled pairs. Out: the build's fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from faceedge.errors import BadInput
from faceedge.fit import Fit, Thresholds
from faceedge.manifest import Part
from faceedge.quantize.intervals import RULE_OF_30, wilson
from faceedge.quantize.scores import PairScores, Scores, threshold_at

MIN_PAIRS = 100
"""Fewer labelled pairs, or fewer than 30 of one kind, cannot place a threshold."""
_NEAR = 200
"""Pairs near a threshold that its shift rests on, at least."""
_STEPS = 1_000_000


class Level(Part):
    """One threshold: the source's, the build's, and what the build's rests on.

    method: `quantile`, set on the impostors' scores for the false-match rate `fmr`, which enough of them support;
    `shift`, the source's threshold, moved as the scores of the `pairs` nearest to it moved; `parity`, lifted beyond
    that, so that INT8 lets in no more of these impostors than FP32. false_source, false_build: false matches of each
    build at its own threshold.
    """

    name: str
    source: float
    build: float
    method: Literal["quantile", "shift", "parity"]
    pairs: int
    fmr: float | None = None
    false_source: int
    false_build: int = 0
    impostors: int

    @property
    def words(self) -> str:
        most = wilson(self.false_build, self.impostors)[1]
        how = {
            "quantile": f"fitted on {self.pairs:,} impostor pairs for a false-match rate of {self.fmr or 0:.1e}",
            "shift": f"moved by {self.build - self.source:+.4f} as the {self.pairs:,} pairs near it moved",
            "parity": f"moved by {self.build - self.source:+.4f} to let in no more strangers than FP32 does",
        }
        return (
            f"{self.name} {self.build:.4f} {how[self.method]} ({self.false_build} of {self.impostors:,} impostor pairs"
            f" match, at most {most:.1e} with 95 % confidence; {self.false_source} match by FP32)"
        )


@dataclass(frozen=True, slots=True)
class Refit:
    """fit: of the build. levels: how each threshold came to be."""

    fit: Fit
    levels: tuple[Level, ...]


def refit(source: Fit, scores: PairScores, rates: Mapping[str, float] | None = None) -> Refit:
    """The thresholds of a build from the source's, on the same labelled pairs.

    rates: the false-match rate that a level (`match`: 1e-4) must keep on these very people. Where the source's own
    threshold does not, and 30 false matches are expected (rule of 30, ISO/IEC 19795-1), the level is fitted on the
    quantile of the impostors. Else it moves with the scores, which takes far fewer pairs: the source was fitted on many
    more. Never does a level accept more of the impostors than the source's did. Raises BadInput on too few pairs.
    """
    if len(scores.same) < MIN_PAIRS or min(scores.genuine, scores.impostors) < RULE_OF_30:
        raise BadInput(
            f"{scores.genuine} genuine and {scores.impostors} impostor pairs cannot place a threshold; give at least"
            f" {MIN_PAIRS}, {RULE_OF_30} of each, by more people or more photos of each"
        )
    source = source.strictest
    before, levels = source.thresholds, list[Level]()
    for name in ("grey", "match", "strict"):
        levels.append(_above(levels, _level(name, getattr(before, name), scores, (rates or {}).get(name)), scores))
    grey, match, strict = (level.build for level in levels)
    if source.look_alike is not None:
        levels.append(_warning(source.look_alike, match, scores))
    fit = source.model_copy(
        update={
            "thresholds": Thresholds(grey=grey, match=match, strict=strict),
            "look_alike": levels[3].build if len(levels) > 3 else None,
            "evidence": _evidence(source, levels, scores),
        }
    )
    return Refit(fit, tuple(levels))


def _level(name: str, at: float, scores: PairScores, stated: float | None) -> Level:
    """One threshold by itself, at least as tight as the source's."""
    theirs, shown = scores.build[~scores.same], _false_matches(scores.source, at, scores)
    rate, tightest = 1.0 if stated is None else stated, threshold_at(theirs, shown / scores.impostors)
    level = _moved(name, at, shown, scores)
    if RULE_OF_30 - 1e-6 <= rate * scores.impostors < shown:
        fitted = {"build": threshold_at(theirs, rate), "method": "quantile", "pairs": scores.impostors, "fmr": rate}
        level = level.model_copy(update=fitted)
    if level.build < tightest:
        level = level.model_copy(update={"build": tightest, "method": "parity"})
    return _placed(level, math.ceil(level.build * _STEPS) / _STEPS, scores)


def _warning(at: float, match: float, scores: PairScores) -> Level:
    """Who looks like whom is pointed out, not let in: moved with the scores, never tightened, never above match."""
    level = _moved("look_alike", at, _false_matches(scores.source, at, scores), scores)
    return _placed(level, min(math.floor(level.build * _STEPS) / _STEPS, match), scores)


def _moved(name: str, at: float, shown: int, scores: PairScores) -> Level:
    build, pairs = moved_threshold(at, scores)
    return Level(
        name=name, source=at, build=build, method="shift", pairs=pairs, false_source=shown, impostors=scores.impostors
    )


def _above(below: Sequence[Level], level: Level, scores: PairScores) -> Level:
    """The level, lifted by the source's own step where it would not rise as the source's does."""
    if not below or level.build > below[-1].build:
        return level
    lifted = below[-1].build + level.source - below[-1].source
    return _placed(level, math.ceil(lifted * _STEPS) / _STEPS, scores)


def _placed(level: Level, build: float, scores: PairScores) -> Level:
    return level.model_copy(update={"build": build, "false_build": _false_matches(scores.build, build, scores)})


def _false_matches(side: Scores, at: float, scores: PairScores) -> int:
    return int((side[~scores.same] >= at).sum())


def _evidence(source: Fit, levels: Sequence[Level], scores: PairScores) -> str:
    told = "; ".join(level.words for level in levels)
    return (
        f"carried over to this build on {scores.genuine:,} genuine and {scores.impostors:,} impostor pairs of"
        f" {scores.people} people: {told}. The float source's: {source.evidence}"
    )


def moved_threshold(at: float, scores: PairScores) -> tuple[float, int]:
    """Where INT8 says what FP32 says at `at`, and how many pairs say so.

    A line through the pairs' scores, each weighing less the farther it lies from `at`. Rounding adds noise, and noise
    lifts some impostors over a threshold: where their density falls by `fall` a unit of score, noise of variance v
    shifts their quantile by v * fall / 2, and the threshold goes up by that.
    """
    reach = max(float(scores.source.std()), 1e-6) / 2
    while True:
        weights = np.exp(-0.5 * ((scores.source - at) / reach) ** 2)
        near = weights.sum() ** 2 / max((weights**2).sum(), 1e-300)
        if near >= min(_NEAR, len(weights) / 2):
            break
        reach *= 2
    slope, level = _line(scores.source - at, scores.build, weights)
    residuals = scores.build - level - slope * (scores.source - at)
    noise = float((weights * residuals**2).sum() / weights.sum())
    impostors = scores.source[~scores.same]
    fall = max(0.0, at - float(impostors.mean())) / max(float(impostors.var()), 1e-12)
    return level + noise * fall / 2, round(near)


def _line(x: Scores, y: Scores, weights: Scores) -> tuple[float, float]:
    """Slope and value at x = 0 of the weighted least-squares line; never falling."""
    total = weights.sum()
    middle_x, middle_y = float((weights * x).sum() / total), float((weights * y).sum() / total)
    spread = float((weights * (x - middle_x) ** 2).sum())
    slope = float((weights * (x - middle_x) * (y - middle_y)).sum()) / spread if spread > 0 else 1.0
    return max(slope, 0.0), middle_y - max(slope, 0.0) * middle_x
