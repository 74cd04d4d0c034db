"""Boxes of two detectors are matched as a person would, and the figures follow."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge import align
from faceedge.errors import BadInput
from faceedge.quantize import boxes
from faceedge.quantize.boxes import EYES, agreement, landmark_error, matches, overlap
from faceedge.quantize.intervals import Drawing
from faceedge.types import Face

POINTS = np.array([[20, 20], [40, 20], [30, 30], [22, 40], [38, 40]], np.float32)


def face(x: float, y: float = 0, score: float = 0.9, size: float = 60) -> Face:
    return Face(np.array([x, y, x + size, y + size], np.float32), score, POINTS + np.float32([x, y]))


def compared(source: list[list[Face]], build: list[list[Face]]) -> boxes.Agreement:
    return agreement(source, build, "eyes_nose_mouth", iou=0.5, draw=Drawing(seed=0))


def test_overlap_is_shared_over_joined_area() -> None:
    one = np.array([[0, 0, 10, 10], [0, 0, 0, 0], [np.nan, 0, 1, 1]], np.float32)
    other = np.array([[5, 0, 15, 10], [0, 0, 10, 10]], np.float32)
    assert overlap(one, other) == pytest.approx(np.array([[1 / 3, 1], [0, 0], [0, 0]]))


def test_the_surer_box_takes_the_face_and_the_other_is_one_too_many() -> None:
    assert matches([face(0)], [face(6, score=0.6), face(3, score=0.9)], 0.5) == [(0, 1, pytest.approx(57 / 63))]


def test_recall_precision_and_f1_are_counted_over_all_photos() -> None:
    seen = compared([[face(0), face(100)], [face(0)], []], [[face(1)], [face(0), face(200)], []])
    assert (seen.matched, seen.source, seen.build, seen.photos) == (2, 3, 3, 3)
    assert (seen.recall, seen.precision, seen.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


def test_half_a_face_away_is_no_match() -> None:
    assert compared([[face(0)]], [[face(25)]]).matched == 0


def test_no_faces_anywhere_is_no_disagreement_but_no_evidence_either() -> None:
    seen = compared([[], []], [[], []])
    assert (seen.f1, seen.interval) == (1.0, (0.0, 1.0))


def test_two_lists_of_other_lengths_are_not_of_the_same_photos() -> None:
    with pytest.raises(BadInput, match="1 photos of the float build but 2"):
        compared([[]], [[], []])


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(BadInput, match="known are eyes_nose_mouth, dlib_5"):
        agreement([], [], "68", 0.5, Drawing(seed=0))


def test_the_landmark_error_is_a_share_of_the_eye_distance() -> None:
    moved = Face(face(0).box, 0.9, POINTS + np.float32([3, 4]))
    assert landmark_error(face(0), moved, "eyes_nose_mouth") == pytest.approx(5 / 20)
    lost = Face(face(0).box, 0.9, np.full((5, 2), np.nan, np.float32))
    assert landmark_error(face(0), lost, "eyes_nose_mouth") == 1.0


@pytest.mark.parametrize("scheme", list(align.SCHEMES))
def test_the_eyes_are_where_the_scheme_says(scheme: str) -> None:
    for points, side in zip(EYES[scheme], ("left", "right"), strict=True):
        assert all(f"eye at image {side}" in align.SCHEMES[scheme][point] for point in points)


def test_the_interval_of_f1_narrows_with_more_photos() -> None:
    few, many = ([[face(0)]] * count + [[face(0), face(100)]] * count for count in (10, 200))
    narrow, wide = (compared(photos, [[face(0)]] * len(photos)).interval for photos in (many, few))
    assert wide[0] < narrow[0] < 0.8 < narrow[1] < wide[1]
