"""Overlapping boxes: the best of a heap stays."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.families.nms import MAX_CANDIDATES, keep_best, overlap


@pytest.mark.parametrize("iou", [0.0, 0.3, 0.7, 1.0])
def test_the_rule_is_the_greedy_one(iou: float) -> None:
    rng = np.random.default_rng(4)
    corner, size = rng.uniform(0, 100, (60, 2)), rng.uniform(5, 60, (60, 2))
    boxes, scores = np.hstack([corner, corner + size]), rng.uniform(0, 1, 60)
    expected: list[int] = []
    for one in np.argsort(-scores):
        if all(overlap(boxes[one], boxes[[other]])[0] <= iou for other in expected):
            expected.append(int(one))
    assert keep_best(boxes, scores, iou).tolist() == expected


def test_of_equals_the_first_stays() -> None:
    boxes = np.array([(0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60)], np.float64)
    assert keep_best(boxes, np.array([0.5, 0.5, 0.5]), 0.3).tolist() == [0, 2]


def test_nothing_keeps_nothing() -> None:
    kept = keep_best(np.zeros((0, 4)), np.zeros(0), 0.4)
    assert kept.shape == (0,)
    assert kept.dtype == np.intp


def test_only_the_best_of_very_many_compete() -> None:
    count = MAX_CANDIDATES + 500
    corner = np.stack([np.arange(count) * 20.0, np.zeros(count)], axis=1)
    scores = np.linspace(0, 1, count)
    kept = keep_best(np.hstack([corner, corner + 10]), scores, 0.4)
    assert kept.tolist() == list(range(count - 1, 499, -1))
