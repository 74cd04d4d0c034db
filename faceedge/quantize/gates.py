"""The gates of an INT8 build: limits, what was found beside each, and the verdict in words for an operator. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from pydantic import Field

from faceedge.manifest import Part
from faceedge.quantize.intervals import Drawing, Interval

Outcome: TypeAlias = Literal["passed", "failed", "unusual"]
Share: TypeAlias = float


class Gates(Part):
    """The limits. Shares are 0..1, so an accuracy drop of 0.2 points is 0.002.

    min_crops, min_faces: below, a percentile or an F1 says nothing, and the gates fail. landmark_error: mean, as a
    share of the eye distance; detectors that recognise equally well differ by 0.05 to 0.08 among each other
    (measured on LFW). fars: false-match rates at which true-match rates are stated. rounds: of the bootstrap
    behind every interval.
    """

    cosine_mean: float = Field(0.99, ge=-1, le=1)
    cosine_p1: float = Field(0.97, ge=-1, le=1)
    accuracy_drop: Share = Field(0.002, ge=0, le=1)
    detector_f1: Share = Field(0.98, ge=0, le=1)
    landmark_error: float = Field(0.06, ge=0)
    box_overlap: Share = Field(0.85, ge=0, le=1)
    iou: Share = Field(0.5, gt=0, le=1)
    min_crops: int = Field(100, ge=1)
    min_faces: int = Field(50, ge=1)
    fars: tuple[Share, ...] = Field((1e-2, 1e-3), max_length=8)
    confidence: Share = Field(0.95, gt=0.5, lt=1)
    rounds: int = Field(400, ge=20, le=10_000)

    def drawing(self, seed: int) -> Drawing:
        """How the intervals are drawn."""
        return Drawing(seed, self.rounds, self.confidence)


class Finding(Part):
    """One figure beside its limit. passed: None where there is no limit or the pairs cannot resolve it."""

    name: str
    value: float | None
    words: str
    limit: float | None = None
    bound: Literal["at least", "at most"] | None = None
    passed: bool | None = None
    interval: Interval | None = None


class Verdict(Part):
    """outcome: `unusual` passed every gate, yet something about it is odd. sentence: for the operator."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    sentence: str
    oddities: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.outcome != "failed"


def verdict(findings: Sequence[Finding], oddities: Sequence[str] = ()) -> Verdict:
    """Failed when any gate failed or nothing was measured; unusual when all passed but `oddities` (sentences) speak."""
    failed = [finding.words for finding in findings if finding.passed is False]
    held = [finding for finding in findings if finding.passed]
    if failed or not held:
        why = "; ".join(failed) or "no gate was measured"
        return Verdict(outcome="failed", findings=tuple(findings), oddities=tuple(oddities), sentence=f"Failed: {why}.")
    unresolved = [finding.name for finding in findings if finding.limit is not None and finding.passed is None]
    sentence = f"Passed all {len(held)} gates that could be judged."
    if unresolved:
        sentence += f" Not resolved: {', '.join(unresolved)}."
    if oddities:
        sentence = f"{sentence} Unusual: {'; '.join(oddities)}."
    outcome: Outcome = "unusual" if oddities else "passed"
    return Verdict(outcome=outcome, findings=tuple(findings), oddities=tuple(oddities), sentence=sentence)


def enough(name: str, count: int, least: int, what: str) -> Finding:
    """A gate on how much was measured."""
    words = f"{count:,} {what}" + ("" if count >= least else f"; fewer than {least:,} prove nothing, give more")
    return Finding(name=name, value=count, limit=least, bound="at least", passed=count >= least, words=words)


def at_least(name: str, value: float, least: float, what: str) -> Finding:
    """A gate that a low value fails."""
    words = f"{what}: {value:.4f}" + ("" if value >= least else f" is below {least:g}")
    return Finding(name=name, value=value, limit=least, bound="at least", passed=value >= least, words=words)


def at_most(name: str, value: float, most: float, what: str) -> Finding:
    """A gate that a high value fails."""
    words = f"{what}: {value:.4f}" + ("" if value <= most else f" is above {most:g}")
    return Finding(name=name, value=value, limit=most, bound="at most", passed=value <= most, words=words)


def stated(name: str, value: float | None, words: str, interval: Interval | None = None) -> Finding:
    """A figure without a limit."""
    return Finding(name=name, value=value, words=words, interval=interval)
