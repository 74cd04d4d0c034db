"""The tables of `fit.toml`: numbers fitted to one build of a network, each with its evidence. Pure."""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from faceedge.manifest import Part


class Thresholds(Part):
    """Raw similarity at which a pair is worth a second factor, is a match, is a match even in poor light."""

    grey: float
    match: float
    strict: float

    @model_validator(mode="after")
    def _rise(self) -> Thresholds:
        if not self.grey <= self.match <= self.strict:
            raise ValueError(f"grey ({self.grey}), match ({self.match}) and strict ({self.strict}) must not fall")
        return self


class QualityHead(Part):
    """Raw output of a network to quality 0..1: straight lines between the knots (raw, quality), level outside."""

    knots: tuple[tuple[float, float], ...] = Field(min_length=2, max_length=32)

    @model_validator(mode="after")
    def _is_a_function(self) -> QualityHead:
        if any(a >= b for (a, _), (b, _) in itertools.pairwise(self.knots)):
            raise ValueError("the raw values of the knots must rise")
        if not all(0 <= quality <= 1 for _, quality in self.knots):
            raise ValueError("the qualities of the knots must lie in 0..1")
        return self

    def quality(self, raw: float) -> float:
        """0..1; a raw value that is not finite is worth nothing."""
        if not math.isfinite(raw):
            return 0.0
        raws, qualities = np.array(self.knots).T
        return float(np.interp(raw, raws, qualities))


class QualityFit(Part):
    """fit.toml of a quality network."""

    quality: QualityHead
    evidence: str


class Fit(Part):
    """fit.toml of a recogniser: numbers fitted to this build, each with its evidence in words."""

    thresholds: Thresholds
    evidence: str
    door: Literal["match", "strict"] = "match"
    """What a door demands. A search compares with everybody enrolled, so a threshold fitted on single pairs whose
    false matches are not rare leaves doors to `strict`."""
    look_alike: float | None = None
    """Raw similarity at ten times the false-match rate of `match`: who is nearer than this to somebody enrolled is
    pointed out by name. Without it, the grey threshold."""

    @model_validator(mode="after")
    def _look_alike_is_below_match(self) -> Fit:
        if self.look_alike is not None and self.look_alike > self.thresholds.match:
            raise ValueError(f"look_alike ({self.look_alike}) must not be above match ({self.thresholds.match})")
        return self

    @property
    def look_alike_score(self) -> float:
        """`look_alike`, or what stands in for it."""
        return self.thresholds.grey if self.look_alike is None else self.look_alike

    @property
    def door_thresholds(self) -> Thresholds:
        """The thresholds that decide at a door. With `strict` every level moves up by one: what a pair of photos
        would pass as a match is worth a second factor only."""
        levels = self.thresholds
        if self.door == "match":
            return levels
        return Thresholds(grey=levels.match, match=levels.strict, strict=levels.strict)
