"""Ways of spoiling a picture: the same seed spoils alike, each does what its name says, and shapes stay."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.assess import shot
from faceedge.demo.photos import astronaut
from faceedge.jobs.calibration import quality_spoil as spoil
from faceedge.jobs.calibration.quality_gather import no_face, window
from faceedge.types import Face, Image

SCHEME = "eyes_nose_mouth"
FACE = Face(np.array([170, 65, 275, 190], np.float32), 0.9, np.zeros((5, 2), np.float32))


def picture() -> tuple[Image, spoil.Box]:
    return window(astronaut(), FACE)


@pytest.mark.parametrize("way", dict.fromkeys(spoil.WAYS))
def test_a_way_is_repeatable_changes_the_picture_and_leaves_the_clean_one_alone(way: spoil.Spoil) -> None:
    image, box = picture()
    before = image.copy()
    one, again, other = (way(image, box, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == image.shape
    assert one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, image)
    assert np.array_equal(image, before)


def test_less_light_is_darker_and_glare_is_brighter() -> None:
    image, box = picture()
    assert spoil.darkened(image, box, np.random.default_rng(1)).mean() < 0.6 * image.mean()
    assert spoil.glaring(image, box, np.random.default_rng(1)).mean() > 1.2 * image.mean()


def test_blur_is_seen_as_blur() -> None:
    image, box = picture()

    def reasons(shown: Image) -> tuple[str, ...]:
        x, y, _, side = (int(edge) for edge in box)
        points = np.array([[38, 51], [73, 51], [56, 71], [41, 92], [70, 92]], np.float32)
        return shot(
            Face(np.array([0, 0, 120, 120], np.float32), 1, points), shown[y : y + side, x : x + side], SCHEME
        ).reasons

    worst = [spoil.defocused(image, box, np.random.default_rng(seed)) for seed in range(8)]
    assert "blurred" not in reasons(image)
    assert any("blurred" in reasons(one) for one in worst)


def test_a_face_in_pieces_keeps_its_pixels_and_loses_its_order() -> None:
    image, box = picture()
    pieces = spoil.shuffled(image, box, np.random.default_rng(3))
    assert not np.array_equal(pieces, image)
    assert abs(float(pieces.mean()) - float(image.mean())) < 3


def test_what_is_no_face_lies_beside_the_face_or_is_drawn() -> None:
    image, box = picture()
    for seed in range(20):
        scene, where = no_face(image, box, np.random.default_rng(seed))
        assert where[2] > 0
        assert scene.ndim == 3
        if scene is image:
            apart = where[0] >= box[0] + box[2] or where[1] >= box[1] + box[3]
            apart = apart or where[0] + where[2] <= box[0] or where[1] + where[3] <= box[1]
            overlap = 0 if apart else 1
            assert overlap == 0 or where[2] * where[3] > 0


def test_a_scene_from_farther_away_shows_the_same_face_smaller_and_where_it_says() -> None:
    image, box = picture()
    for seed in range(8):
        far, place = spoil.distant(image, box, np.random.default_rng(seed))
        assert 31 <= min(place[2], place[3]) <= 101
        assert far.shape[1] / image.shape[1] == pytest.approx(place[2] / box[2])
        x, y, wide, high = (round(edge) for edge in place)
        at_x, at_y, all_wide, all_high = (round(edge) for edge in box)
        near = image[at_y : at_y + all_high, at_x : at_x + all_wide].mean((0, 1))
        assert np.abs(far[y : y + high, x : x + wide].mean((0, 1)) - near).max() < 8


def test_a_face_that_is_small_already_comes_no_nearer() -> None:
    image, box = picture()
    small, place = spoil.distant(image, (*box[:2], 20.0, 24.0), np.random.default_rng(1))
    assert small.shape == image.shape
    assert place[2:] == (20.0, 24.0)


def test_a_drawn_face_is_repeatable_and_another_by_another_seed() -> None:
    one, again, other = (spoil.drawn(120, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (120, 120, 3)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
