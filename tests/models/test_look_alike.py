"""The score from which two people are pointed out as looking alike, and the figure it rests on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.accuracy import read_pairs
from calibration.look_alike import look_alike_distance, similarity
from faceedge.fit import Fit, Thresholds
from faceedge.models.importers.dlib import FIT

LEVELS = Thresholds(grey=0.5, match=0.6, strict=0.7)


def test_without_a_measured_score_the_grey_threshold_stands_in() -> None:
    assert Fit(thresholds=LEVELS, evidence="").look_alike_score == 0.5
    assert Fit(thresholds=LEVELS, evidence="", look_alike=0.4).look_alike_score == 0.4


def test_a_score_above_the_match_threshold_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not be above match"):
        Fit(thresholds=LEVELS, evidence="", look_alike=0.61)


def test_the_distance_is_the_largest_hundredth_within_ten_times_the_false_matches() -> None:
    impostors = [0.595, *[0.651] * 9, 0.705, None]  # one at d = 0.6, ten up to 0.70, eleven from 0.71
    assert look_alike_distance(impostors) == 0.70


@pytest.mark.assets
def test_the_score_of_the_default_recogniser_is_the_one_measured(assets: Path) -> None:
    impostors = [pair.theirs for pair in read_pairs(assets) if not pair.same and not pair.suspect]
    assert pytest.approx(similarity(look_alike_distance(impostors))) == FIT.look_alike
