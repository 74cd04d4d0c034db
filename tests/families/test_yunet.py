"""YuNet: cells without a shift, scores of two heads, and the same faces as a plain loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceedge.families.yunet import Yunet
from tests.families.made_up import manifest, silence
from tests.families.real import sees_what_the_reference_sees

FAMILY = Yunet(manifest("yunet", side=320))
CANVAS = FAMILY.canvas(320, 320)


@pytest.mark.parametrize(("stride", "row", "cell"), [(8, 41, (1, 1)), (16, 39, (19, 1)), (32, 10, (0, 1))])
def test_a_row_of_zeros_is_a_square_of_one_stride_around_the_corner_of_its_cell(
    stride: int, row: int, cell: tuple[int, int]
) -> None:
    outputs = silence("yunet", CANVAS)
    outputs[f"cls_{stride}"][0, row] = outputs[f"obj_{stride}"][0, row] = 0.8
    seen = FAMILY.decode(outputs, 0, CANVAS, 320, 320)
    x, y = cell[0] * stride, cell[1] * stride
    half = stride / 2
    assert seen.boxes.tolist() == [[x - half, y - half, x + half, y + half]]
    assert seen.landmarks is not None
    assert seen.landmarks.tolist() == [[[x, y]] * 5]


def test_the_score_is_the_geometric_mean_of_class_and_objectness() -> None:
    outputs = silence("yunet", CANVAS)
    outputs["cls_8"][0, 5], outputs["obj_8"][0, 5] = 1.0, 0.49
    assert FAMILY.decode(outputs, 0, CANVAS, 320, 320).scores == pytest.approx([0.7], abs=1e-6)


def test_two_negative_heads_do_not_make_a_face() -> None:
    outputs = silence("yunet", CANVAS)
    outputs["cls_8"][:] = outputs["obj_8"][:] = -1
    assert len(FAMILY.decode(outputs, 0, CANVAS, 320, 320).scores) == 0


@pytest.mark.assets
def test_real_photos_hold_the_faces_of_the_plain_loop(assets: Path, tmp_path: Path) -> None:
    assert sees_what_the_reference_sees("yunet_n", "yunet", assets, tmp_path) > 15
