"""The tables of `fit.toml`: numbers fitted to one build of a network, each with its evidence. Pure."""

from __future__ import annotations

import base64
import bisect
import datetime
import itertools
import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from faceedge.manifest import Line, Part


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

    def calibrated(self, similarity: float) -> float:
        """How sure a raw similarity is, 0..1, half at `match`: to put people in an order, never to decide."""
        width = max(self.strict - self.grey, 1e-6) / 4
        return float(1 / (1 + np.exp(-np.clip((similarity - self.match) / width, -60, 60))))


class Judging(Part):
    """What a decision asks for beside the thresholds: the lead over the second person, raw, and the qualities from
    which a picture may vote and is trusted. What is left out is the product's own."""

    margin: float = Field(0.02, ge=0, le=1)
    usable: float = Field(0.4, ge=0.4, le=1)
    trusted: float = Field(0.6, ge=0.4, le=1)
    evidence: str = ""

    @model_validator(mode="after")
    def _levels_rise(self) -> Judging:
        if self.usable > self.trusted:
            raise ValueError(f"usable ({self.usable}) cannot exceed trusted ({self.trusted})")
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
        at = bisect.bisect_right(self.knots, (raw, math.inf))  # a few times as fast as np.interp
        if at in (0, len(self.knots)):
            return self.knots[min(at, len(self.knots) - 1)][1]
        (low, worse), (high, better) = self.knots[at - 1 : at + 1]
        return worse + (raw - low) / (high - low) * (better - worse)


class QualityFit(Part):
    """fit.toml of a quality network."""

    quality: QualityHead
    evidence: str


Basis = Literal["measured", "counted", "extrapolated", "shipped"]
"""Where a site's threshold comes from. measured: the bound of the rate holds on what was counted. counted: it does,
but enrolment has refused whoever came nearer to somebody than that: so it is among the enrolled, and nothing is shown
of others. extrapolated: the tail of the scores carried on, an estimate and no proof. shipped: the gallery says nothing
against it."""
Row = Annotated[tuple[float, ...], Field(min_length=1, max_length=64)]


class LightHead(Part):
    """A small network that says from a crop's measures, thumbnail and embedding how the recognition will go: one hidden
    layer of tanh, three logistic outputs (`quality_head.OUTPUTS`). What goes in: `quality_head.inputs`.

    version: of that list. detector: build whose scores and landmarks it knows; scheme: of these landmarks. means,
    scales: of its measures. weights: base64 of int8 (inputs, units), each unit times its step by group of inputs:
    steps (3, units). covered, face: logits from which a face is called covered, and below which it is called none.
    """

    version: Literal[1] = 1
    detector: str = Field(pattern=r"^[0-9a-f]{12}$")
    scheme: str = Field(max_length=64)
    dimension: int = Field(ge=1, le=4096)
    units: int = Field(ge=1, le=64)
    means: Row
    scales: Row
    weights: str = Field(max_length=400_000)
    steps: tuple[Row, Row, Row]
    bias: Row
    out: tuple[Row, Row, Row]
    out_bias: tuple[float, float, float]
    covered: float
    face: float

    @model_validator(mode="after")
    def _is_whole(self) -> LightHead:
        if any(len(row) != self.units for row in (*self.steps, *self.out, self.bias)):
            raise ValueError(f"the head has rows of other than {self.units} units")
        if len(self.means) != len(self.scales) or min(self.scales) <= 0:
            raise ValueError("the head's means and scales do not belong together")
        if len(self.table) % self.units:
            raise ValueError("the head's weights are cut short")
        return self

    @property
    def table(self) -> bytes:
        """The weights, a byte each. Raises ValueError when they are no base64."""
        try:
            return base64.b64decode(self.weights, validate=True)
        except ValueError as error:
            raise ValueError(f"the head's weights are no base64 ({error})") from error


class RecogniserQuality(Part):
    """What a recogniser's own answer says of the picture. output: `norm`, the length of the embedding before it is made
    1; `head`, the small network beside it; else the name of one of its further outputs, as a temperature.

    knots: that number to quality 0..1, as of a quality network.
    """

    output: Annotated[Line, Field(min_length=1)]
    knots: tuple[tuple[float, float], ...] = Field(min_length=2, max_length=32)
    head: LightHead | None = None
    evidence: Line

    @model_validator(mode="after")
    def _fits(self) -> RecogniserQuality:
        if (self.output == "head") != (self.head is not None):
            raise ValueError('output = "head" and the table of the head belong together')
        QualityHead(knots=self.knots)
        return self

    @property
    def scale(self) -> QualityHead:
        """What maps the number to quality."""
        return QualityHead(knots=self.knots)


class SiteThresholds(Part):
    """That the thresholds are a site's own, and what they rest on (`faceedge calibrate thresholds`).

    shipped, shipped_look_alike, shipped_evidence: what the package came with. fmr: asked for at what a door demands.
    likely: the most that the false-match rate may be there, with `confidence`; None where that cannot be said. errors:
    at what a door demanded before, of `pairs` pairs of people. basis: of grey, match and strict. accepted_risk: why a
    level may be looser than shipped.
    """

    shipped: Thresholds
    shipped_look_alike: float | None = None
    shipped_evidence: str = ""
    fmr: float = Field(gt=0, le=0.5)
    confidence: float = Field(gt=0, lt=1)
    likely: float | None = Field(None, ge=0, le=1)
    errors: float = Field(ge=0)
    pairs: int = Field(ge=0)
    people: int = Field(ge=0)
    templates: int = Field(ge=0)
    basis: tuple[Basis, Basis, Basis]
    method: Line
    made: datetime.date
    accepted_risk: Line = ""


class Fit(Part):
    """fit.toml of a recogniser: numbers fitted to this build, each with its evidence in words."""

    thresholds: Thresholds
    evidence: str
    quality: RecogniserQuality | None = None
    judging: Judging = Judging()
    door: Literal["match", "strict"] = "match"
    """What a door demands. A search compares with everybody enrolled, so a threshold fitted on single pairs whose
    false matches are not rare leaves doors to `strict`."""
    site: SiteThresholds | None = None
    look_alike: float | None = None
    """Raw similarity at ten times the false-match rate of `match`: who is nearer than this to somebody enrolled is
    pointed out by name. Without it, the grey threshold."""

    @model_validator(mode="after")
    def _look_alike_is_below_match(self) -> Fit:
        if self.look_alike is not None and self.look_alike > self.thresholds.match:
            raise ValueError(f"look_alike ({self.look_alike}) must not be above match ({self.thresholds.match})")
        return self

    @property
    def shipped(self) -> Thresholds:
        """The thresholds that the package came with."""
        return self.thresholds if self.site is None else self.site.shipped

    @property
    def strictest(self) -> Fit:
        """The stricter of the shipped thresholds and the site's: what another build of the network starts from, so
        that a risk accepted for this one is not taken over."""
        if self.site is None:
            return self
        ours, shipped = self.thresholds, self.site.shipped
        levels = Thresholds(
            grey=max(ours.grey, shipped.grey), match=max(ours.match, shipped.match),
            strict=max(ours.strict, shipped.strict),
        )  # fmt: skip
        return self.model_copy(update={"thresholds": levels, "look_alike": self.site.shipped_look_alike, "site": None})

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
