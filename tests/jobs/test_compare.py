"""The verdict on two photos."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from faceedge.errors import BadInput
from faceedge.fit import Thresholds
from faceedge.jobs.compare import largest_face, verdict
from tests.fakes.vision import FakeVision, Sitter, save

LIMITS = Thresholds(grey=0.6, match=0.7, strict=0.8)


@pytest.mark.parametrize(
    ("similarity", "quality", "expected"),
    [
        (0.59, 0.9, "no_match"),
        (0.60, 0.9, "grey"),
        (0.69, 0.9, "grey"),
        (0.70, 0.9, "match"),
        (0.70, 0.60, "match"),
        (0.79, 0.59, "untrusted"),
        (0.80, 0.59, "match"),
        (0.80, 0.40, "match"),
        (0.99, 0.39, "untrusted"),
        (0.10, 0.39, "untrusted"),
        (0.65, 0.50, "grey"),
        (0.10, 0.50, "no_match"),
        (math.nan, 0.9, "no_match"),
        (0.99, math.nan, "untrusted"),
    ],
)
def test_the_verdict_follows_similarity_and_the_poorer_quality(
    similarity: float, quality: float, expected: str
) -> None:
    assert verdict(similarity, quality, LIMITS) == expected


def test_the_largest_face_counts(tmp_path: Path) -> None:
    path = save(tmp_path / "two.png", Sitter(1), Sitter(2))
    assert largest_face(FakeVision(), path).face.width_px == 40


def test_a_photo_without_a_face_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"wall\.png: no face found"):
        largest_face(FakeVision(), save(tmp_path / "wall.png"))
