"""A good picture is trusted; each way of spoiling it lowers the quality and is named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceedge.assess import UNCLEAR, quality, shot
from faceedge.demo.photos import astronaut
from faceedge.jobs.burst import HINTS
from faceedge.journal.explain import CURES
from faceedge.measures import yaw
from faceedge.quality_head import COVERED, NO_FACE, Forecast
from faceedge.types import Assessment, Face, Image

SCHEME = "eyes_nose_mouth"
EYES_NOSE_MOUTH = np.array([[38, 51], [73, 51], [56, 71], [41, 92], [70, 92]], np.float32)


def portrait() -> Image:
    """The astronaut's face, about as an aligned crop shows it."""
    return cv2.resize(astronaut()[62:180, 165:283], (112, 112), interpolation=cv2.INTER_AREA)


def face(side_px: float = 120, nose_dx: float = 0) -> Face:
    points = EYES_NOSE_MOUTH.copy()
    points[2, 0] += nose_dx
    return Face(np.array([0, 0, side_px, side_px], np.float32), 1.0, points)


def test_a_sharp_well_lit_portrait_is_trusted_without_a_reason() -> None:
    seen = shot(face(), portrait(), SCHEME)
    assert seen.quality >= 0.6
    assert seen.reasons == ()


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("blurred", lambda crop: cv2.GaussianBlur(crop, (0, 0), 6)),
        ("blurred", lambda crop: cv2.blur(crop, (21, 1))),
        ("blurred", lambda crop: cv2.blur(crop, (1, 21))),
        ("too dark", lambda crop: (crop * 0.12).astype(np.uint8)),
        ("over-exposed", lambda crop: np.clip(crop.astype(int) * 2 + 170, 0, 255).astype(np.uint8)),
        ("low contrast", lambda crop: (120 + crop * 0.04).astype(np.uint8)),
    ],
)
def test_a_spoiled_picture_is_unusable_and_names_its_fault(reason: str, spoil) -> None:  # type: ignore[no-untyped-def]
    seen = shot(face(), spoil(portrait()), SCHEME)
    assert seen.quality < 0.4
    assert reason in seen.reasons


def test_quality_falls_as_blur_grows() -> None:
    sharp_to_soft = [shot(face(), cv2.GaussianBlur(portrait(), (0, 0), s), SCHEME).quality for s in (0.3, 1.5, 3, 5)]
    assert sharp_to_soft == sorted(sharp_to_soft, reverse=True)
    assert sharp_to_soft[-1] < sharp_to_soft[0]


def test_a_face_of_a_few_pixels_is_too_small() -> None:
    seen = shot(face(side_px=24), portrait(), SCHEME)
    assert seen.quality < 0.4
    assert seen.reasons[0] == "too small"


def test_a_face_turned_far_away_is_named_so() -> None:
    seen = shot(face(nose_dx=16), portrait(), SCHEME)
    assert "turned away" in seen.reasons


@pytest.mark.parametrize("roll_deg", [-40, 0, 40])
def test_a_rolled_but_frontal_head_is_not_turned_away(roll_deg: float) -> None:
    angle = np.radians(roll_deg)
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    rolled = Face(face().box, 1.0, (EYES_NOSE_MOUTH - 56) @ spin.T + 56)
    assert yaw(rolled, SCHEME) < 0.1


def test_the_nose_is_found_in_both_landmark_schemes() -> None:
    corners = np.array([[80, 50], [64, 50], [20, 50], [36, 50], [50, 80]], np.float32)
    assert yaw(Face(face().box, 1.0, corners), "dlib_5") < 0.01
    corners[4, 0] = 66
    assert yaw(Face(face().box, 1.0, corners), "dlib_5") > 0.6


def said(quality: float, reason: str = "") -> Forecast:
    return Forecast(quality, 1.5, reason)


def test_where_the_recogniser_is_asked_a_poor_picture_is_worth_asking_about_but_not_a_tiny_one() -> None:
    dark = (portrait() * 0.12).astype(np.uint8)
    plain, asked = (shot(face(), dark, SCHEME, is_asked=is_asked) for is_asked in (False, True))
    assert plain.quality < 0.4 <= asked.quality < shot(face(), portrait(), SCHEME, is_asked=True).quality
    assert plain.reasons == asked.reasons
    assert shot(face(side_px=24), portrait(), SCHEME, is_asked=True).quality < 0.4


def test_the_forecast_decides_of_what_was_usable_up_and_down() -> None:
    dim = Assessment(0.5, ("too dark",))
    assert quality(dim, said(0.9)) == Assessment(0.9, (), 1.5)
    assert quality(dim, said(0.3)) == Assessment(0.3, ("too dark",), 1.5)


def test_a_forecast_never_lifts_what_was_unusable() -> None:
    tiny = Assessment(0.1, ("too small",))
    assert quality(tiny, said(1.0)) == Assessment(0.1, ("too small",), 1.5)
    assert quality(tiny, said(0.05, NO_FACE)).reasons == (NO_FACE, "too small")


@pytest.mark.parametrize("reason", [COVERED, NO_FACE])
def test_what_the_forecast_names_comes_first_and_only_when_the_picture_is_poor(reason: str) -> None:
    assert quality(Assessment(0.5, ("blurred",)), said(0.2, reason)).reasons == (reason, "blurred")
    assert quality(Assessment(0.9), said(0.8, COVERED)).reasons == ()


def test_a_poor_forecast_without_a_cause_says_at_least_that_something_is_unclear() -> None:
    assert quality(Assessment(0.9), said(0.2)).reasons == (UNCLEAR,)


def test_a_forecast_that_is_no_number_leaves_no_raw_number() -> None:
    assert quality(Assessment(0.9), Forecast(0.0, float("nan"))) == Assessment(0.0, (UNCLEAR,), None)


def test_every_reason_has_a_cure_and_an_instruction() -> None:
    words = {
        "too small",
        "too dark",
        "over-exposed",
        "low contrast",
        "blurred",
        "turned away",
        COVERED,
        NO_FACE,
        UNCLEAR,
    }
    assert words <= set(CURES)
    assert words <= set(HINTS)
