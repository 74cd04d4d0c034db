"""`faceedge why` has words for a camera whose pictures were not trusted."""

from __future__ import annotations

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
