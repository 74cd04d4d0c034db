"""RetinaFace: anchors in the order of the rule, and the same faces as a plain loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceedge.families.retinaface import Retinaface
from tests.families.made_up import manifest, silence
from tests.families.real import sees_what_the_reference_sees

FAMILY = Retinaface(manifest("retinaface", side=320))
CANVAS = FAMILY.canvas(320, 320)


@pytest.mark.parametrize(
    ("row", "centre", "side"),
    [
        (0, (4, 4), 16),
        (1, (4, 4), 32),
        (2 * 40 + 3, (12, 12), 32),  # second cell of the second row of stride 8
        (3200, (8, 8), 64),
        (3201, (8, 8), 128),
        (4000, (16, 16), 256),
        (4199, (304, 304), 512),
    ],
)
def test_a_row_of_zeros_is_its_anchor(row: int, centre: tuple[int, int], side: int) -> None:
    outputs = silence("retinaface", CANVAS)
    outputs["cls"][0, row, 1] = 1
    seen = FAMILY.decode(outputs, 0, CANVAS, 320, 320)
    assert seen.boxes.tolist() == [
        [centre[0] - side / 2, centre[1] - side / 2, centre[0] + side / 2, centre[1] + side / 2]
    ]
    assert seen.landmarks is not None
    assert seen.landmarks.tolist() == [[list(centre)] * 5]


def test_the_variances_of_training_scale_what_the_network_says() -> None:
    outputs = silence("retinaface", CANVAS)
    outputs["cls"][0, 3200] = (0.4, 0.6)
    outputs["bbox"][0, 3200] = (1, -1, np.log(2) / 0.2, 0)
    outputs["landmark"][0, 3200, :2] = (2, 3)
    seen = FAMILY.decode(outputs, 0, CANVAS, 320, 320)
    np.testing.assert_allclose(seen.boxes, [[14.4 - 64, 1.6 - 32, 14.4 + 64, 1.6 + 32]], atol=1e-4)
    assert seen.landmarks is not None
    np.testing.assert_allclose(seen.landmarks[0, :2], [[20.8, 27.2], [8, 8]], atol=1e-4)


@pytest.mark.assets
@pytest.mark.system
def test_real_photos_hold_the_faces_of_the_plain_loop(assets: Path, tmp_path: Path) -> None:
    assert sees_what_the_reference_sees("retinaface_mnet025", "retinaface", assets, tmp_path) > 15
