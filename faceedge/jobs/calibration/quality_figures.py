"""How well a quality foretells recognitions: errors against discards, area under the ROC curve, the scale. Pure.

In: a quality or raw number for each picture, and which of their genuine comparisons failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.quantize.intervals import wilson

Numbers: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Knots: TypeAlias = tuple[tuple[float, float], ...]

DISCARDS = np.linspace(0, 0.95, 96)
LEVELS = ((0.9, 0.05), (0.75, 0.15), (0.5, 0.27), (0.25, 0.4), (0.05, 0.6), (0.01, 0.8))
"""Share of genuine comparisons that fail because of the picture, and the quality that means it: 0.4 is one in four,
0.6 one in twenty. From there on is design: below 0.4 nobody is let in, from 0.6 a picture is trusted."""
USABLE = 0.4
BINS = 60


def discards(fails: Flags, quality: Numbers) -> Numbers:
    """Share of failures among what is left when the worst `DISCARDS` of the pictures are put away."""
    ordered = fails[np.argsort(quality, kind="stable")].astype(np.float64)
    left = np.cumsum(ordered[::-1])[::-1] / np.arange(len(ordered), 0, -1)
    return np.asarray(left[(DISCARDS * len(ordered)).astype(int)])


def area(fails: Flags, quality: Numbers) -> float:
    """Mean of `discards`: less is better."""
    return float(discards(fails, quality).mean())


def auc(fails: Flags, quality: Numbers) -> float:
    """Chance that of a failure and a success the failure has the lower quality; ties count half. NaN without both."""
    _, places, counts = np.unique(quality, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    good, bad = int((~fails).sum()), int(fails.sum())
    if not good or not bad:
        return float("nan")
    return float((ranks[~fails].sum() - good * (good + 1) / 2) / (good * bad))


def spared(good: Numbers, share: float) -> float:
    """The highest raw number below which, with 95 % confidence, less than this share of good pictures lies; where there
    are too few to say so, the lowest of them."""
    lost = 0
    while lost + 1 < len(good) and wilson(lost + 1, len(good))[1] <= share:
        lost += 1
    return float(np.sort(good)[lost])


def knots_of(raw: Numbers, fails: Flags, usual: float, best: float, usable: float = np.inf) -> Knots:
    """Raw number to quality by `LEVELS`, over failures that are never more often where the number is higher.

    usual: failures of clean pictures, which are not the picture's fault. best: raw number of a good one, worth 1.
    usable: raw number that is worth 0.4 at least, whatever the failures say.
    """
    centres, shares = _falling(raw, fails)
    blame = np.clip((shares - usual) / max(1 - usual, 1e-6), 0, 1)
    found: list[tuple[float, float]] = []
    for share, quality in LEVELS:
        at = _crossed(centres, blame, share)
        if at is not None and (not found or at > found[-1][0] + 1e-6):
            found.append((at, quality))
    over = max((at - usable for at, quality in found if quality == USABLE), default=0.0)
    found = [(at - max(over, 0.0) if quality <= USABLE else at, quality) for at, quality in found]
    found = [(at, quality) for at, quality in found if at < best - 1e-6] + [(best, 1.0)]
    lowest = min(float(raw.min()), found[0][0] - 1e-3)
    return tuple((round(at, 5), quality) for at, quality in [(lowest, 0.0), *found])


def _falling(raw: Numbers, fails: Flags) -> tuple[Numbers, Numbers]:
    """Middles of bins of equal number, rising, and their shares of failures, made to fall (pool adjacent violators)."""
    order = np.argsort(raw, kind="stable")
    bins = [part for part in np.array_split(order, min(BINS, len(order))) if len(part)]
    blocks: list[list[float]] = []
    for part in bins:
        blocks.append([float(fails[part].mean()), float(len(part)), 1.0])
        while len(blocks) > 1 and blocks[-2][0] <= blocks[-1][0]:
            share, size, many = blocks.pop()
            last = blocks[-1]
            blocks[-1] = [(last[0] * last[1] + share * size) / (last[1] + size), last[1] + size, last[2] + many]
    shares = np.concatenate([np.full(int(many), share) for share, _, many in blocks])
    return np.array([float(np.median(raw[part])) for part in bins]), shares


def _crossed(centres: Numbers, blame: Numbers, share: float) -> float | None:
    """Where failures fall to `share`; None where there were never so many, or never so few."""
    below = np.flatnonzero(blame <= share)
    if not len(below) or below[0] == 0:
        return None
    at = int(below[0])
    high, low = blame[at - 1], blame[at]
    part = (high - share) / max(high - low, 1e-9)
    return float(centres[at - 1] + part * (centres[at] - centres[at - 1]))


def thinned(curve: Numbers, every: int = 5) -> Sequence[float]:
    """For a report: fewer points, rounded."""
    return [round(float(value), 5) for value in curve[::every]]
