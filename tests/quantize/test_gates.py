"""Verdicts: what fails, what passes, what cannot be resolved, each in words."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from faceedge.quantize.boxes import agreement
from faceedge.quantize.findings import Recognised, detector_findings, recogniser_findings
from faceedge.quantize.gates import Finding, Gates, verdict
from faceedge.quantize.intervals import Drawing
from faceedge.quantize.scores import threshold_at
from faceedge.types import Face
from tests.quantize.made_up import pair_scores
from tests.quantize.test_boxes import POINTS, face

GOOD = np.full(300, 0.995)


def by_name(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def judged(noise: float, people: int = 60, each: int = 6, cosines: np.ndarray = GOOD) -> tuple[Finding, ...]:
    scores = pair_scores(people, each, noise)
    at = [threshold_at(side[~scores.same], 1e-3) for side in (scores.source, scores.build)]
    return recogniser_findings(Recognised(cosines, scores, *at), Gates(rounds=60), seed=0)


def test_the_defaults_are_those_of_the_issue() -> None:
    gates = Gates()
    assert (gates.cosine_mean, gates.cosine_p1, gates.accuracy_drop, gates.detector_f1) == (0.99, 0.97, 0.002, 0.98)


def test_a_limit_that_is_none_or_unknown_is_refused() -> None:
    with pytest.raises(ValidationError):
        Gates(detector_f1=1.5)
    with pytest.raises(ValidationError):
        Gates.model_validate({"cosine": 0.9})


def test_a_faithful_build_passes() -> None:
    reached = verdict(judged(noise=0.0005, each=9))
    assert reached.outcome == "passed"
    assert by_name(reached.findings)["accuracy_drop"].passed is True
    assert reached.sentence.startswith("Passed all 4 gates")


@pytest.mark.parametrize(
    ("cosines", "gate"),
    [
        (np.full(300, 0.98), "cosine_mean"),
        (np.concatenate([np.full(290, 0.999), np.full(10, 0.9)]), "cosine_p1"),
        (np.full(99, 0.999), "crops"),
        (np.zeros(0), "crops"),
    ],
)
def test_every_gate_can_fail_by_itself(cosines: np.ndarray, gate: str) -> None:
    reached = verdict(judged(noise=0.0, cosines=cosines))
    assert [finding.name for finding in reached.findings if finding.passed is False] == [gate]
    assert reached.outcome == "failed"


def test_a_drop_in_accuracy_fails_though_the_cosines_are_fine() -> None:
    finding = by_name(judged(noise=0.1))["accuracy_drop"]
    assert finding.passed is False
    assert "decided rightly only by FP32" in finding.words


def test_few_pairs_leave_the_drop_unresolved_and_the_cosines_decide() -> None:
    reached = verdict(judged(noise=0.0, people=15, each=3))
    finding = by_name(reached.findings)["accuracy_drop"]
    assert finding.passed is None
    assert "cannot resolve 0.20 points, so the cosines decide" in finding.words
    assert reached.outcome == "passed"
    assert "Not resolved: accuracy_drop." in reached.sentence


def test_without_labelled_pairs_the_cosines_alone_decide() -> None:
    findings = recogniser_findings(Recognised(GOOD), Gates(), seed=0)
    assert verdict(findings).outcome == "passed"
    assert by_name(findings)["accuracy_drop"].words == "no labelled pairs, so the cosines alone decide"


def test_rates_are_stated_with_intervals_or_silent_with_the_reason() -> None:
    loud, silent = by_name(judged(0.01)), by_name(judged(0.01, people=30, each=3))
    assert loud["tar_at_far_0.001"].interval is not None
    assert "63,720 impostor pairs of 60 people" in loud["tar_at_far_0.001"].words
    assert silent["tar_at_far_0.001"].value is None
    assert "not stated; 3,915 impostor pairs are fewer than the 30,000" in silent["tar_at_far_0.001"].words
    assert "genuine scores move by" in loud["genuine_shift"].words


def detected(moved_px: float = 0.0, lost: int = 0, points_px: float = 0.0, photos: int = 100) -> tuple[Finding, ...]:
    source = [[face(0), face(200)]] * photos
    build = [
        [
            Face(face(moved_px).box, 0.8, POINTS + np.float32([points_px, 0])),
            *([] if at < lost else [face(200)]),
        ]
        for at in range(photos)
    ]
    return detector_findings(agreement(source, build, "eyes_nose_mouth", 0.5, Drawing(seed=0)), Gates())


@pytest.mark.parametrize(
    ("findings", "failed"),
    [
        (detected(), []),
        (detected(lost=3), []),
        (detected(lost=12), ["detector_f1"]),
        (detected(moved_px=12), ["box_overlap"]),
        (detected(points_px=4), ["landmark_error"]),
        (detected(photos=20), ["faces"]),
    ],
)
def test_a_detector_fails_for_what_it_does_worse(findings: tuple[Finding, ...], failed: list[str]) -> None:
    assert [finding.name for finding in findings if finding.passed is False] == failed


def test_a_detector_that_finds_nothing_fails_in_words() -> None:
    seen = agreement([[face(0)]] * 100, [[]] * 100, "eyes_nose_mouth", 0.5, Drawing(seed=0))
    reached = verdict(detector_findings(seen, Gates()))
    assert "0 found by both, 100 by FP32, 0 by INT8: 0.0000 is below 0.98" in reached.sentence


def test_nothing_measured_is_nothing_passed() -> None:
    assert verdict(()).sentence == "Failed: no gate was measured."


def test_what_passes_oddly_is_unusual_and_what_fails_oddly_has_failed() -> None:
    odd = verdict(judged(noise=0.0), ["the set shows one person only"])
    assert odd.outcome == "unusual"
    assert odd.passed
    assert odd.sentence.endswith("Unusual: the set shows one person only.")
    assert verdict(judged(noise=0.1), ["odd"]).outcome == "failed"


def test_a_verdict_survives_json() -> None:
    reached = verdict(judged(noise=0.01))
    assert type(reached).model_validate_json(reached.model_dump_json()) == reached
