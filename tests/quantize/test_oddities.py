"""A calibration on something else than faces shows in the size of the values it met."""

from __future__ import annotations

import numpy as np
import pytest

from faceedge.quantize.oddities import clipping_oddities, magnitude, range_oddities
from faceedge.quantize.ranges import Spread

MET = {f"tensor {at}": 1.0 + at for at in range(40)}


def scaled(factor: float, count: int) -> dict[str, float]:
    return {name: value * (factor if at < count else 1.1) for at, (name, value) in enumerate(MET.items())}


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_values_of_about_the_same_size_are_not_odd(factor: float) -> None:
    assert range_oddities(scaled(factor, 40), MET) == ()
    assert clipping_oddities(scaled(factor, 40), MET) == ()


@pytest.mark.parametrize(("factor", "how"), [(0.5, "smaller"), (2.0, "larger")])
def test_values_of_another_size_are_odd_from_a_share_of_the_tensors_on(factor: float, how: str) -> None:
    assert range_oddities(scaled(factor, 2), MET) == ()
    (words,) = range_oddities(scaled(factor, 8), MET)
    assert "in 20% of the tensors" in words
    assert f"mostly {how} ones" in words


def test_scales_that_hold_too_little_are_odd_and_those_that_hold_more_are_not() -> None:
    assert clipping_oddities(scaled(9.0, 40), MET) == ()
    assert "in 50% of the tensors INT8 holds less than half" in clipping_oddities(scaled(0.4, 20), MET)[0]


def test_tensors_without_values_are_alike() -> None:
    nothing = dict.fromkeys(MET, 0.0)
    assert range_oddities(nothing, nothing) == ()
    assert range_oddities({}, {}) == ()


def test_the_magnitude_is_read_off_the_histogram() -> None:
    spread = Spread(axis=1)
    assert magnitude(spread) == 0.0
    spread.add(np.linspace(-1, 1, 20_000, dtype=np.float32).reshape(10, 2, 1000))
    assert magnitude(spread, 0.5) == pytest.approx(0.5, abs=2e-3)
    assert magnitude(spread, 1.0) == pytest.approx(1.0)
