"""Alignment: landmarks lay the recogniser's template on the face, in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reference import umeyama
from faceedge import align
from faceedge.errors import BadInput, PackageError
from faceedge.types import Floats

EVERY_PAIR = [(scheme, name) for name, alignment in align.ALIGNMENTS.items() for scheme in alignment.templates]


def turned(points: Floats, scale: float, degrees: float, shift: tuple[float, float]) -> Floats:
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * points @ rotation.T + shift, np.float32)


def template(scheme: str, name: str) -> Floats:
    return np.array(align.ALIGNMENTS[name].templates[scheme], np.float32)


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("degrees", [0, 30, -120, 180])
def test_a_moved_template_is_found_again(scale: float, degrees: float) -> None:
    points = template("eyes_nose_mouth", "arcface_112")
    matrix = align.matrices(turned(points, scale, degrees, (40, -7))[None], "eyes_nose_mouth", "arcface_112")[0]
    np.testing.assert_allclose(
        turned(points, scale, degrees, (40, -7)), points @ matrix[:, :2].T + matrix[:, 2], atol=1e-3
    )
    assert matrix.dtype == np.float32


@pytest.mark.parametrize(("scheme", "name"), EVERY_PAIR)
def test_the_middle_of_the_face_is_the_middle_of_the_crop(scheme: str, name: str) -> None:
    points = template(scheme, name)
    size = align.crop_spec(name).width
    matrix = align.matrices(turned(points, 3, 20, (100, 50))[None], scheme, name)[0].astype(np.float64)
    # dlib's own rule puts the middle of the square, 75, on the middle of the pixels, 74.5.
    middle = (size / 2, size / 2) if align.ALIGNMENTS[name].inclusive else ((size - 1) / 2,) * 2
    pixel = np.array([(size - 1) / 2] * 2)
    expected = turned(np.array([middle], np.float32), 3, 20, (100, 50))[0]
    np.testing.assert_allclose(matrix[:, :2] @ pixel + matrix[:, 2], expected, atol=2e-3)


def test_dlib_crops_span_one_pixel_less_than_the_square() -> None:
    points = template("dlib_5", "dlib_150")
    matrix = align.matrices(2 * points[None], "dlib_5", "dlib_150")[0]
    assert matrix[0, 0] == pytest.approx((2 * 150 - 1) / 149, abs=1e-5)
    assert matrix[0, 1] == pytest.approx(0, abs=1e-6)


def test_noise_is_shared_out_by_least_squares() -> None:
    rng = np.random.default_rng(0)
    points = template("eyes_nose_mouth", "arcface_112").astype(np.float64)
    target = turned(points, 2, 10, (5, 5)) + rng.normal(0, 2, points.shape)
    linear, shift = align.similarity(points, target[None])
    a, b, columns = linear[0, 0, 0], linear[0, 1, 0], np.ones(len(points))
    rows = np.concatenate(
        [
            np.stack([points[:, 0], -points[:, 1], columns, 0 * columns], axis=1),
            np.stack([points[:, 1], points[:, 0], 0 * columns, columns], axis=1),
        ]
    )
    best = np.linalg.lstsq(rows, np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    np.testing.assert_allclose([a, b, *shift[0]], best, atol=1e-9)


def test_arcface_crops_are_fitted_in_the_crop_as_umeyama_fits_the_points_to_the_template() -> None:
    rng = np.random.default_rng(1)
    wanted = template("eyes_nose_mouth", "arcface_112").astype(np.float64)
    for _ in range(5):
        points = turned(wanted, 2, 10, (5, 5)) + rng.normal(0, 8, wanted.shape)
        matrix = align.matrices(points[None], "eyes_nose_mouth", "arcface_112")[0]
        np.testing.assert_allclose(
            matrix, np.linalg.inv(np.vstack([umeyama(points, wanted), (0, 0, 1)]))[:2], rtol=1e-5
        )


@pytest.mark.parametrize("name", sorted(align.ALIGNMENTS))
def test_points_that_no_crop_fits_give_finite_matrices(name: str) -> None:
    rng = np.random.default_rng(2)
    nonsense = np.concatenate([np.ones((1, 5, 2)), rng.normal(0, 1e5, (50, 5, 2)), rng.normal(0, 1e-5, (50, 5, 2))])
    assert np.isfinite(align.matrices(nonsense, "eyes_nose_mouth", name)).all()


def test_a_mirrored_face_is_never_mirrored_back() -> None:
    mirrored = template("eyes_nose_mouth", "arcface_112") * (-1, 1)
    matrix = align.matrices(mirrored[None], "eyes_nose_mouth", "arcface_112")[0]
    assert np.linalg.det(matrix[:, :2]) > 0


def test_faces_together_are_aligned_as_each_alone() -> None:
    points = template("dlib_5", "dlib_150")
    faces = [turned(points, 1 + k, 10 * k, (k, 2 * k)) for k in range(4)]
    together = align.matrices(faces, "dlib_5", "dlib_150")
    assert together.shape == (4, 2, 3)
    for one, face in zip(together, faces, strict=True):
        np.testing.assert_array_equal(one, align.matrices([face], "dlib_5", "dlib_150")[0])


def test_no_face_is_no_matrix() -> None:
    assert align.matrices([], "dlib_5", "dlib_150").shape == (0, 2, 3)


def test_equal_points_give_a_finite_matrix() -> None:
    assert np.isfinite(align.matrices(np.ones((1, 5, 2), np.float32), "dlib_5", "dlib_150")).all()


def test_points_that_are_not_finite_are_refused() -> None:
    with pytest.raises(BadInput, match="finite"):
        align.matrices(np.full((1, 5, 2), np.nan, np.float32), "dlib_5", "dlib_150")


@pytest.mark.parametrize(("scheme", "name"), EVERY_PAIR)
def test_every_scheme_can_place_every_alignment(scheme: str, name: str) -> None:
    align.check(scheme, name)
    assert len(align.SCHEMES[scheme]) == len(template(scheme, name)) == 5
    inside = (template(scheme, name) > 0) & (template(scheme, name) < align.crop_spec(name).width)
    assert inside.all()


def test_both_schemes_place_nearly_the_same_crop() -> None:
    """The measured templates: mean points of one scheme in crops of the other give back the same crop."""
    assert len(EVERY_PAIR) == len(align.SCHEMES) * len(align.ALIGNMENTS)
    native = template("eyes_nose_mouth", "arcface_112")
    seen = align.similarity(template("eyes_nose_mouth", "dlib_150").astype(np.float64), native[None].astype(np.float64))
    mapped = template("dlib_5", "dlib_150") @ seen[0][0].T + seen[1][0]
    assert np.abs(mapped - template("dlib_5", "arcface_112")).max() < 1.5


@pytest.mark.parametrize("scheme", ["", "mouth_only"])
def test_an_unknown_scheme_is_refused_with_what_would_do(scheme: str) -> None:
    with pytest.raises(PackageError, match=r"cannot place crops of alignment 'dlib_150'.*dlib_5 or eyes_nose_mouth"):
        align.check(scheme, "dlib_150")


def test_an_unknown_alignment_is_refused_with_what_is_known() -> None:
    with pytest.raises(PackageError, match="unknown alignment 'oval'; known are arcface_112, dlib_150"):
        align.crop_spec("oval")
