"""SCRFD: two anchors a cell, next to each other, and the same faces as a plain loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceedge.families.scrfd import Scrfd
from tests.families.made_up import manifest, silence
from tests.families.real import sees_what_the_reference_sees

FAMILY = Scrfd(manifest("scrfd", side=320))
CANVAS = FAMILY.canvas(320, 320)


@pytest.mark.parametrize("anchor", [0, 1])
@pytest.mark.parametrize(("stride", "cell", "point"), [(8, 41, (8, 8)), (16, 39, (304, 16)), (32, 10, (0, 32))])
def test_both_anchors_of_a_cell_measure_from_its_corner(
    stride: int, cell: int, point: tuple[int, int], anchor: int
) -> None:
    outputs = silence("scrfd", CANVAS)
    row = 2 * cell + anchor
    outputs[f"score_{stride}"][0, row] = 0.9
    outputs[f"bbox_{stride}"][0, row] = (1, 2, 3, 4)
    outputs[f"kps_{stride}"][0, row] = (1, 2, 0, 0, 0, 0, 0, 0, -1, -2)
    seen = FAMILY.decode(outputs, 0, CANVAS, 320, 320)
    x, y = point
    np.testing.assert_array_equal(seen.boxes, [[x - stride, y - 2 * stride, x + 3 * stride, y + 4 * stride]])
    assert seen.landmarks is not None
    assert seen.landmarks[0, [0, 1, 4]].tolist() == [
        [x + stride, y + 2 * stride], [x, y], [x - stride, y - 2 * stride],
    ]  # fmt: skip


@pytest.mark.assets
@pytest.mark.parametrize(("graph", "recipe"), [("scrfd_500m", "scrfd-500m"), ("scrfd_2.5g", "scrfd-2.5g")])
@pytest.mark.system
def test_real_photos_hold_the_faces_of_the_plain_loop(graph: str, recipe: str, assets: Path, tmp_path: Path) -> None:
    assert sees_what_the_reference_sees(graph, recipe, assets, tmp_path) > 15
