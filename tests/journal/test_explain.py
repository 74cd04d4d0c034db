"""`faceedge why` has words for a camera whose pictures were not trusted."""

from __future__ import annotations

from typing import Any

from faceedge.decide import PARTING
from faceedge.journal.bodies import decision_body
from faceedge.journal.explain import REASON_CURES, REASONS, Matter, advice, paragraph
from faceedge.permit import CAMERA
from faceedge.types import Decision, Evidence


def test_why_explains_a_camera_that_stood_still_and_what_to_do() -> None:
    evidence = Evidence(0.9, 0.4, 0.9, 3, 3, 1.0)
    refusal = Decision("entry", 1, 0, "deny", CAMERA, "none", "p1", evidence, 1.5)
    matter = Matter("today", 7, decision_body("id", refusal, {}, 1.0), [], [], {"p1": "Ada"})
    assert "camera entry, entry 7: refused, because the pictures of this camera could not be trusted" in paragraph(
        matter
    )
    assert advice(matter) == [REASON_CURES[CAMERA]]
    assert CAMERA in REASONS


def told(outcome: str, fit: list[str]) -> str:
    evidence = Evidence(0.7, 0.4, 0.9, 3, 3, 1.0)
    made = Decision("entry", 1, 0, outcome, "match", "trusted", "p1", evidence, 1.5)  # type: ignore[arg-type]
    body: dict[str, Any] = decision_body("id", made, {"match": 0.6, "grey": 0.5, "strict": 0.7}, 1.0)
    own = {"own_limits": {"lab": {"match": 0.8, "votes": 4}}, "fit": fit}
    return paragraph(Matter("today", 7, body | own, [], [], {"p1": "Ada"}))


def test_why_names_the_numbers_of_every_door_that_has_its_own() -> None:
    measure = "Door lab has its own measure (match from 0.8, pictures that agree: 4)"
    assert f"{measure}, and was not met." in told("grant", ["main"])
    assert f"{measure}, and was met." in told("grant", ["lab"])
    assert f"{measure}." in told("deny", [])


def test_why_has_words_and_advice_for_every_refusal_of_the_judge() -> None:
    for reason in (*PARTING, "unknown", "ambiguous", "grey_zone", "locked_out"):
        assert reason in REASONS
        assert reason in REASON_CURES
