"""How wide a step of int8 should be: one step an activation, one a channel of the weights. Pure.

In: histograms of magnitudes, weights. Out: scales, so that value = step * integer of -127..127.
"""

from __future__ import annotations

import numpy as np

from faceedge.quantize.options import Method
from faceedge.quantize.ranges import BINS, Doubles, Spread
from faceedge.types import Floats

LEVELS = 127
PERCENTILE = 0.9999
FLOOR = 1e-8
"""The smallest scale: a tensor that is zero throughout needs one that is positive."""


def activation_scale(spread: Spread, method: Method) -> float:
    """One scale for a tensor."""
    limit = _LIMITS[method](spread) if spread.top > 0 else 0.0
    return max(limit / LEVELS, FLOOR)


def weight_scales(weights: Floats, axis: int, method: Method) -> Floats:
    """float32 (channels,): one scale an output channel; with `error`, the one with the least square error."""
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).astype(np.float64)
    peaks = np.maximum(np.abs(rows).max(axis=1), FLOOR * LEVELS)
    best, scales = np.full(len(rows), np.inf), peaks / LEVELS
    for share in np.linspace(1.0, 0.5, 51) if method == "error" else ():
        steps = np.asarray(peaks * share / LEVELS)[:, None]
        errors = ((rows - np.clip(np.rint(rows / steps), -LEVELS, LEVELS) * steps) ** 2).sum(axis=1)
        better = errors < best * (1 - 1e-9)
        best, scales = np.where(better, errors, best), np.where(better, steps[:, 0], scales)
    return np.asarray(scales, np.float32)


def rounded(weights: Floats, scales: Floats, axis: int) -> Floats:
    """The weights as int8 leaves them."""
    shape = [1] * weights.ndim
    shape[axis] = -1
    steps = scales.reshape(shape)
    return np.asarray(np.clip(np.rint(weights / steps), -LEVELS, LEVELS) * steps, np.float32)


def _whole(spread: Spread) -> float:
    return float(spread.peak.max())


def _percentile(spread: Spread) -> float:
    share = np.cumsum(spread.counts) / spread.counts.sum()
    return float(spread.middles[min(int(np.searchsorted(share, PERCENTILE)), BINS - 1)])


def _least_error(spread: Spread) -> float:
    """The limit with the least mean square error of rounding and cutting off."""
    peak, middles = _whole(spread), spread.middles
    limits = np.geomspace(peak / 64, peak, 121)
    errors = [_error(limit / LEVELS, middles, spread.counts, spread.top / BINS) for limit in limits]
    return float(limits[int(np.argmin(errors))])


def _error(step: float, middles: Doubles, counts: Doubles, width: float) -> float:
    """Mean square error. A bin wider than a step holds values of every fraction: their error is step**2 / 12."""
    cut = np.clip(middles - LEVELS * step, 0, None) ** 2
    inside = step * step / 12 if width * 4 > step else (middles - np.rint(middles / step) * step) ** 2
    return float((counts * np.where(middles > LEVELS * step, cut, inside)).sum())


def _least_divergence(spread: Spread) -> float:
    """The limit at which 128 levels lose least information (Kullback-Leibler, as TensorRT's entropy calibration)."""
    counts, levels = spread.counts, 128
    best, place = np.inf, BINS
    for end in range(levels, BINS + 1, 8):
        kept = counts[:end].copy()
        kept[-1] += counts[end:].sum()
        divergence = _divergence(kept, counts[:end], levels)
        if divergence < best:
            best, place = divergence, end
    return min(place * spread.top / BINS, _whole(spread))


def _divergence(wanted: Doubles, counts: Doubles, levels: int) -> float:
    groups = np.minimum(np.arange(len(counts)) * levels // len(counts), levels - 1)
    filled = counts > 0
    sums, sizes = np.bincount(groups, counts, levels), np.bincount(groups, filled, levels)
    spread = np.where(filled, (sums / np.maximum(sizes, 1))[groups], 0)
    if not spread.sum():
        return float("inf")
    p, q = wanted / wanted.sum(), spread / spread.sum()
    both = (p > 0) & (q > 0)
    lost = p[(p > 0) & (q == 0)].sum()
    return float((p[both] * np.log(p[both] / q[both])).sum() + lost * 20)


_LIMITS = {"minmax": _whole, "percentile": _percentile, "error": _least_error, "entropy": _least_divergence}
