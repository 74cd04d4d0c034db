"""Numbers of a build: thresholds rise, and a calibrated similarity keeps their order."""

from __future__ import annotations

import itertools

import pytest

from faceedge.fit import Thresholds


@pytest.mark.parametrize("levels", [(0.5, 0.6, 0.7), (0.82, 0.875, 0.875), (0.5, 0.5, 0.5)])
def test_a_calibrated_similarity_rises_and_is_half_at_match(levels: tuple[float, float, float]) -> None:
    thresholds = Thresholds(grey=levels[0], match=levels[1], strict=levels[2])
    rising = [thresholds.calibrated(score) for score in (-9.0, levels[0] - 0.1, levels[1], levels[2] + 0.1, 9.0)]
    assert all(0 <= a <= b <= 1 for a, b in itertools.pairwise(rising))
    assert thresholds.calibrated(levels[1]) == pytest.approx(0.5)
