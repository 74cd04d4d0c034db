"""A good picture is trusted; each way of spoiling it lowers the quality and is named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faceedge.assess import shot
from faceedge.demo.photos import astronaut
from faceedge.measures import yaw
from faceedge.types import Face, Image

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
