"""How sure a measured rate is: score intervals for shares and for paired differences, and draws of people. Pure.

Used by the gates; nothing here knows of faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Interval: TypeAlias = tuple[float, float]
Counts: TypeAlias = NDArray[np.int64]

RULE_OF_30 = 30
"""Errors that must be expected before a rate is stated: with 30 of them the true rate lies within 30 % of the measured
one with 90 % confidence (Doddington's rule of 30, ISO/IEC 19795-1)."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a bootstrap draws: how often, from which seed, and how much of the outcome an interval keeps."""

    seed: int
    rounds: int = 400
    confidence: float = 0.95


def wilson(hits: int, count: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share; (0, 1) of nothing. Stays inside 0..1 and is not empty at 0 and 1."""
    if count == 0:
        return 0.0, 1.0
    z, share = _z(confidence), hits / count
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    scale = 1 + z * z / count
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def paired_drop(lost: int, won: int, count: int, confidence: float = 0.95) -> Interval:
    """Tango's score interval (Statistics in Medicine 17, 1998) of (lost - won) / count, (-1, 1) of nothing.

    lost, won: pairs that only the first or only the second of two methods gets right. At zero its test is McNemar's.
    """
    if count == 0:
        return -1.0, 1.0
    z, middle = _z(confidence), (lost - won) / count
    low = _crossing(lost, won, count, -1.0, middle, z)
    high = _crossing(lost, won, count, middle, 1.0, -z)
    return low, high


def _crossing(lost: int, won: int, count: int, low: float, high: float, aim: float) -> float:
    """Where the score, which falls as the assumed drop rises, passes `aim`."""
    for _ in range(60):
        middle = (low + high) / 2
        if _tango(lost, won, count, middle) > aim:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _tango(lost: int, won: int, count: int, drop: float) -> float:
    """Standardised distance of what was counted from an assumed drop."""
    b = -lost - won + (2 * count - lost + won) * drop
    c = -won * drop * (1 - drop)
    likeliest = (math.sqrt(max(b * b - 8 * count * c, 0.0)) - b) / (4 * count)
    variance = count * (2 * likeliest + drop * (1 - drop))
    distance = lost - won - count * drop
    return distance / math.sqrt(variance) if variance > 1e-12 else math.copysign(math.inf, distance)


def mean_of_two(first: float, around_first: Interval, second: float, around_second: Interval) -> Interval:
    """Interval of the mean of two independent figures from each one's own (MOVER: Zou and Donner 2008)."""
    middle = (first + second) / 2
    below = math.hypot(first - around_first[0], second - around_second[0]) / 2
    above = math.hypot(around_first[1] - first, around_second[1] - second) / 2
    return middle - below, middle + above


def draws(subjects: int, draw: Drawing) -> Counts:
    """How often each subject (a person, a photo) is drawn, (rounds, subjects): as many draws as there are, with
    replacement.

    Pairs that share a person are not independent, so a bootstrap draws people, not pairs (ISO/IEC 19795-1). The weight
    of a pair is the product of its people's counts; of a pair of one person, that person's count.
    """
    return np.random.default_rng(draw.seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=draw.rounds)


def percentiles(values: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """The middle `confidence` of the values."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def wider(one: Interval, two: Interval) -> Interval:
    """The outer ends of both."""
    return min(one[0], two[0]), max(one[1], two[1])


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
