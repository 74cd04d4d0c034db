"""What YuNet, RetinaFace and SCRFD have in common, on outputs made up by hand."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.backends.base import Canvas
from faceedge.errors import EngineError
from faceedge.families import FAMILIES, FAMILY_OUTPUTS
from faceedge.families.base import Detections
from faceedge.families.nms import MAX_CANDIDATES
from faceedge.types import Floats
from tests.families import made_up
from tests.families.made_up import BOX, POINTS, manifest, say, silence

pytestmark = pytest.mark.parametrize("family", made_up.FAMILIES)
SIDE = 320


def canvas_of(family: str) -> Canvas:
    return FAMILIES[family](manifest(family)).canvas(SIDE, SIDE)


def read(family: str, outputs: dict[str, Floats], index: int = 0) -> Detections:
    return FAMILIES[family](manifest(family)).decode(outputs, index, canvas_of(family), SIDE, SIDE)


@pytest.mark.parametrize(("stride", "cell"), [(8, (13, 9)), (16, (6, 4)), (32, (0, 9))])
def test_one_hit_is_one_face_where_the_rule_puts_it(family: str, stride: int, cell: tuple[int, int]) -> None:
    outputs = silence(family, canvas_of(family))
    say(family, outputs, canvas_of(family), 0.875, stride=stride, cell=cell)
    seen = read(family, outputs)
    np.testing.assert_allclose(seen.boxes, [BOX], atol=1e-3)
    np.testing.assert_allclose(seen.landmarks, [POINTS], atol=1e-3)  # type: ignore[arg-type]
    assert seen.scores == pytest.approx([0.875], abs=1e-6)
    assert {seen.boxes.dtype, seen.scores.dtype, seen.landmarks.dtype} == {np.dtype(np.float32)}  # type: ignore[union-attr]


def test_silence_is_no_face(family: str) -> None:
    seen = read(family, silence(family, canvas_of(family)))
    assert seen.boxes.shape == (0, 4)
    assert seen.landmarks is not None
    assert seen.landmarks.shape == (0, 5, 2)


def test_of_overlapping_boxes_the_best_stays_and_faces_come_best_first(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
    say(family, outputs, canvas, 0.7, cell=(6, 4))
    say(family, outputs, canvas, 0.9, cell=(6, 5), box=(42, 62, 102, 152))
    say(family, outputs, canvas, 0.95, stride=8, cell=(30, 30), box=(200, 200, 280, 280))
    seen = read(family, outputs)
    np.testing.assert_allclose(seen.boxes, [(200, 200, 280, 280), (42, 62, 102, 152)], atol=1e-3)


def test_a_score_below_the_threshold_counts_only_where_the_manifest_says_so(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
    say(family, outputs, canvas, 0.45)
    assert len(read(family, outputs).scores) == 0
    lenient = FAMILIES[family](manifest(family, score_threshold=0.4))
    assert len(lenient.decode(outputs, 0, canvas, SIDE, SIDE).scores) == 1


def test_every_image_of_a_batch_has_its_own_faces(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family), batch=3), canvas_of(family)
    say(family, outputs, canvas, 0.8, image=1)
    assert [len(read(family, outputs, index).scores) for index in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(("height", "width"), [(SIDE, SIDE), (640, 1280), (1280, 640), (99, 57)])
def test_faces_are_mapped_back_from_a_fixed_canvas(family: str, height: int, width: int) -> None:
    fixed = FAMILIES[family](manifest(family, fixed=True))
    canvas = fixed.canvas(height, width)
    outputs = silence(family, canvas)
    say(family, outputs, canvas, 0.9)
    shrink = min(1, SIDE / max(height, width))
    seen = fixed.decode(outputs, 0, canvas, height, width)
    np.testing.assert_allclose(seen.boxes, np.array([BOX]) / shrink, rtol=1e-4)
    np.testing.assert_allclose(seen.landmarks, np.array([POINTS]) / shrink, rtol=1e-4)  # type: ignore[arg-type]


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_no_numbers_are_no_faces(family: str, nonsense: float) -> None:
    outputs = silence(family, canvas_of(family))
    for array in outputs.values():
        array[:] = nonsense
    assert len(read(family, outputs).scores) == 0


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf, 1e30])
def test_a_box_or_a_landmark_that_is_none_takes_its_own_face_only(family: str, nonsense: float) -> None:
    for kind in ("bbox", "kps" if family != "retinaface" else "landmark"):
        outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
        say(family, outputs, canvas, 0.9)
        say(family, outputs, canvas, 0.95, cell=(0, 0), box=(0, 0, 300, 300))
        name = kind if family == "retinaface" else f"{kind}_16"
        loud = int(np.flatnonzero(np.abs(outputs[name][0]).sum(axis=1))[0])
        outputs[name][0, loud, -1] = nonsense
        np.testing.assert_allclose(read(family, outputs).boxes, [BOX], atol=1e-3)


def test_a_box_without_area_is_no_face(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
    with np.errstate(invalid="ignore", divide="ignore"):
        say(family, outputs, canvas, 0.9, box=(40, 60, 40, 60))
    assert len(read(family, outputs).scores) == 0


def test_a_network_that_fires_everywhere_is_bounded(family: str) -> None:
    fixed = FAMILIES[family](manifest(family, side=640, nms_iou=1.0))
    canvas = fixed.canvas(640, 640)
    outputs = silence(family, canvas)
    for array in outputs.values():
        array[:] = 1
    assert len(fixed.decode(outputs, 0, canvas, 640, 640).scores) <= MAX_CANDIDATES


def test_scores_never_exceed_one(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
    say(family, outputs, canvas, 1.5)
    assert read(family, outputs).scores.tolist() == [1]


def test_every_output_that_is_missing_is_named(family: str) -> None:
    assert set(FAMILY_OUTPUTS[family]) == set(silence(family, canvas_of(family)))
    for name in FAMILY_OUTPUTS[family]:
        outputs = silence(family, canvas_of(family))
        del outputs[name]
        with pytest.raises(EngineError, match=rf"^output '{name}' is missing, .*family and outputs of its graph$"):
            read(family, outputs)


def test_outputs_of_another_shape_are_refused_in_one_line(family: str) -> None:
    for name in FAMILY_OUTPUTS[family]:
        whole = silence(family, canvas_of(family))
        for bad in (whole[name][:, :-1], whole[name][..., :0], whole[name][0, 0], whole[name][None], whole[name][:0]):
            with pytest.raises(EngineError, match=rf"^output '{name}' is of shape .*; give the package [a-z ]*$"):
                read(family, {**whole, name: bad})


def test_the_graph_may_call_its_outputs_otherwise(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
    say(family, outputs, canvas, 0.9)
    names = {name: f"graph_{number}" for number, name in enumerate(FAMILY_OUTPUTS[family])}
    renamed = {names[name]: array for name, array in outputs.items()}
    seen = FAMILIES[family](manifest(family, outputs=names)).decode(renamed, 0, canvas, SIDE, SIDE)
    assert len(seen.scores) == 1


def test_a_graph_for_single_images_may_leave_out_the_batch(family: str) -> None:
    outputs, canvas = silence(family, canvas_of(family)), canvas_of(family)
    say(family, outputs, canvas, 0.9)
    flat = {name: array[0] for name, array in outputs.items()}
    assert len(read(family, flat).scores) == 1
    with pytest.raises(EngineError, match="of shape"):
        read(family, flat, index=1)
