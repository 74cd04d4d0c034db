"""The self-test picture is the same everywhere, and answers that differ are told apart."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from faceedge.errors import PackageError
from faceedge.manifest import SelfTest
from faceedge.models import selftest


def noted(outputs: dict[str, np.ndarray]) -> SelfTest:
    return SelfTest(width=4, height=4, outputs=selftest.answers(outputs))


def test_the_picture_is_the_one_that_packages_were_made_with() -> None:
    image = selftest.picture(64, 48)
    assert image.shape == (48, 64, 3)
    assert (
        hashlib.sha256(image.tobytes()).hexdigest()
        == "2b27a7f3821f3da7b28b54a9b781629d807dabaa5992dc582e07aa136d3e401c"
    )


def test_a_swapped_colour_or_a_turned_picture_shows() -> None:
    image = selftest.picture(32, 32).astype(float)
    for other in (image[..., ::-1], image[::-1], image[:, ::-1], image.transpose(1, 0, 2)):
        assert np.abs(other - image).mean() > 20


def test_the_tensor_runs_from_minus_one_to_one() -> None:
    tensor = selftest.tensor(np.array([[[0, 255, 127]]], np.uint8))
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor.reshape(-1), [-1, 1, -0.5 / 127.5])


def test_the_pictures_of_a_batch_differ() -> None:
    images = selftest.others(selftest.picture(32, 32))
    assert len({image.tobytes() for image in images}) == len(images) == 3


@pytest.mark.parametrize("size", [1, 2, 5, 16, 17, 1000])
def test_answers_keep_the_first_the_last_and_what_lies_between(size: int) -> None:
    answer = selftest.answers({"y": np.arange(size, dtype=np.float32)})["y"]
    assert answer.shape == (size,)
    assert answer.values[0] == 0
    assert answer.values[-1] == size - 1
    assert len(answer.values) == min(size, 16)
    assert list(answer.values) == sorted(answer.values)


def test_answers_with_a_number_that_is_none_are_refused() -> None:
    values = np.zeros(1000, np.float32)
    values[333] = np.nan  # not among the sixteen that are kept
    with pytest.raises(PackageError, match="numbers that are none in 'y'"):
        selftest.answers({"y": values})


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(PackageError, match="with nothing in 'y'"):
        selftest.answers({"y": np.zeros((0, 4), np.float32)})


def test_a_deviation_is_a_share_of_the_largest_number() -> None:
    source = np.array([[100.0, 0.0]], np.float32)
    assert selftest.deviation(source, source + np.float32(0.5)) == pytest.approx(0.005)
    assert selftest.deviation(source / 1e6, source / 1e6 + 1e-4) == pytest.approx(0.01)


def test_another_shape_or_nan_deviates_without_bound() -> None:
    source = np.ones((1, 2), np.float32)
    assert selftest.deviation(source, np.ones((2, 1), np.float32)) == float("inf")
    assert selftest.deviation(source, np.full((1, 2), np.nan, np.float32)) == float("inf")
    assert selftest.deviation_of_all({"y": source}, {}) == float("inf")


def test_the_same_answers_deviate_by_less_than_their_rounding() -> None:
    outputs = {"y": np.linspace(-3, 7, 100, dtype=np.float32)}
    assert selftest.deviation_from_noted(noted(outputs), outputs) < 1e-6


def test_changed_answers_deviate_by_what_was_changed() -> None:
    outputs = {"y": np.linspace(-3, 8, 100, dtype=np.float32)}
    other = {"y": outputs["y"] + np.float32(0.08)}
    assert selftest.deviation_from_noted(noted(outputs), other) == pytest.approx(0.01, rel=1e-3)


def test_a_missing_output_or_another_shape_is_refused() -> None:
    expected = noted({"y": np.ones((1, 4), np.float32)})
    with pytest.raises(PackageError, match="no output 'y'"):
        selftest.deviation_from_noted(expected, {"z": np.ones((1, 4), np.float32)})
    with pytest.raises(PackageError, match=r"'y' is \(1, 5\), its self-test expects \(1, 4\)"):
        selftest.deviation_from_noted(expected, {"y": np.ones((1, 5), np.float32)})
