"""How large a rate of errors may be after so many were counted, when comparisons share people. Pure.

Bounds are one-sided: with the stated confidence the rate is at most that (ISO/IEC 19795-1, rule of three and beyond).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from faceedge.jobs.audit.findings import Bounds

Sums = NDArray[np.float64]


def upper(errors: float, trials: float, confidence: float = 0.95) -> float:
    """Clopper and Pearson's exact upper bound of a share; 1 of nothing. Without errors it is about 3 / trials at 95 %,
    the rule of three. Both counts may be fractions, as of effective sizes (Korn and Graubard 1998)."""
    if trials <= 0 or errors >= trials:
        return 1.0
    if errors <= 0:
        return -math.expm1(math.log1p(-confidence) / trials)
    # Beyond `high` lies no bound, for any confidence up to 0.9999.
    low, high = errors / trials, min(1.0, (errors + 5 * math.sqrt(errors + 1) + 10) / trials)
    return _solved(lambda share: incomplete_beta(share, errors + 1, trials - errors), confidence, low, high)


def bounds(sums: Sums, people: int, floor_effect: float, confidence: float = 0.95) -> Bounds:
    """The bounds of a false-match rate over all pairs of people.

    sums: float64 (people,), of each person the pairs that match, each counted as the share of its templates'
    comparisons that do. floor_effect: the least design effect to reckon with, from where there are errors enough to
    measure it (`effect_of`). assured: as many pairs as there can be that share nobody. With no error at all any such
    pairs have none, and the bound is exact; with errors they are taken to have the average share of them.

    Pairs share people, and some people match more than others do. The variance of the rate when people are drawn, by
    the jackknife, over that of as many independent pairs, is the design effect; the pairs count for that much less. It
    lies between 1 and people - 1, at which only the pairs that share nobody would count.
    """
    pairs = people * (people - 1) // 2
    errors = float(sums.sum()) / 2
    rate = errors / pairs
    effect = max(floor_effect, effect_of(sums, people))
    size = pairs / effect
    apart = people // 2
    assured = upper(rate * apart, apart, confidence)
    likely = assured
    if people > 2:
        size *= (NormalDist().inv_cdf(confidence) / student(confidence, people - 1)) ** 2
        likely = min(assured, upper(rate * size, size, confidence))
    return Bounds(errors, pairs, rate, upper(errors, pairs, confidence), likely, assured, effect)


def effect_of(sums: Sums, people: int) -> float:
    """The design effect that these sums show; 1 where there is nothing to see."""
    pairs = people * (people - 1) // 2
    rate = float(sums.sum()) / 2 / pairs
    if people < 3 or not 0 < rate < 1:
        return 1.0
    without = (rate * pairs - sums) / ((people - 1) * (people - 2) / 2)
    variance = (people - 1) / people * float(((without - without.mean()) ** 2).sum())
    return float(np.clip(variance / (rate * (1 - rate) / pairs), 1.0, max(1.0, pairs / (people // 2))))


@functools.cache
def student(confidence: float, freedom: int) -> float:
    """The quantile of Student's t distribution."""
    tail = 2 * (1 - confidence)
    share = _solved(lambda x: incomplete_beta(x, freedom / 2, 0.5), tail)
    return math.sqrt(freedom * (1 - share) / share)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation of the continued fraction (Abramowitz and Stegun 26.5.8)."""
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for term in (even, odd):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if abs(value - before) < 1e-10 * abs(value):
            break
    return value


def _solved(rising: Callable[[float], float], aim: float, low: float = 0.0, high: float = 1.0) -> float:
    """Where a function that rises over `low` to `high` reaches `aim`."""
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < aim else (low, middle)
    return high
