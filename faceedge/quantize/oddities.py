"""What is odd about a calibration though its gates may hold: values that people do not cause, scales that clip. Pure.

In: per tensor, the magnitude that 99.9 % of its values stay below, over the calibration images and over the images of
the gates, both in float; and the largest magnitude that INT8 can hold. Out: sentences for the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from faceedge.quantize.ranges import BINS, Spread

FACTOR, SHARE = 2**0.5, 0.05
"""On YuNet, mobileface_v2 and edgeface, 32 or 64 good photos bring no tensor farther than this factor from 200 other
ones. Noise does so to 20 % of the tensors and more, values not normalised to 38 %, black to 23 %, darkness to 7 %."""
CLIPPED = 0.5


def magnitude(spread: Spread, share: float = 0.999) -> float:
    """The magnitude that this share of the values stays below."""
    total = spread.counts.sum()
    if not total:
        return 0.0
    return float((np.searchsorted(np.cumsum(spread.counts), share * total) + 1) * spread.top / BINS)


def range_oddities(calibrated: Mapping[str, float], met: Mapping[str, float]) -> tuple[str, ...]:
    """Whether the calibration images cause other values than the gates' do. By tensor, of the same tensors."""
    ratios = _ratios(calibrated, met)
    low, high = float((ratios < 1 / FACTOR).mean()), float((ratios > FACTOR).mean())
    if low + high <= SHARE:
        return ()
    how = "smaller" if low > high else "larger"
    return (
        f"in {low + high:.0%} of the tensors the calibration images cause values of another size than the faces of the"
        f" gates do, mostly {how} ones; check that they are photos of people, prepared alike",
    )


def clipping_oddities(held: Mapping[str, float], met: Mapping[str, float]) -> tuple[str, ...]:
    """Whether INT8 cannot hold what the gates' images cause. held: 127 x scale, by tensor."""
    clipped = float((_ratios(held, met) < CLIPPED).mean())
    if clipped <= SHARE:
        return ()
    return (f"in {clipped:.0%} of the tensors INT8 holds less than half of what the faces of the gates cause",)


def _ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> NDArray[np.float64]:
    """1 where both are nothing."""
    tiny = 1e-9
    return np.array([(ours[name] + tiny) / (theirs[name] + tiny) for name in theirs] or [1.0], np.float64)
