"""What grows: slopes with their bounds, counts, and lines of code. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

HOUR_S = 3600.0
MEGA = 1_000_000
MOST_POINTS = 1000
"""Theil-Sen compares each with each; longer series are put together by medians."""
TOP = 10


@dataclass(frozen=True, slots=True)
class Slope:
    """MB an hour: Theil-Sen, and the ends of its 95 % interval."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code. bytes: at the end. grown: bytes since the beginning."""

    name: str
    bytes: float
    grown: float
    slope: Slope


def slope(seconds: Sequence[float], sizes: Sequence[float]) -> Slope:
    """Of bytes over seconds."""
    from scipy.stats import theilslopes  # takes a second to import, which every run of the other tests would wait

    parts = min(MOST_POINTS, len(seconds))
    times = [float(np.median(part)) for part in np.array_split(np.asarray(seconds, float), parts)]
    values = [float(np.median(part)) for part in np.array_split(np.asarray(sizes, float), parts)]
    found = theilslopes(values, times, alpha=0.95)
    return Slope(*(float(one) * HOUR_S / MEGA for one in (found.slope, found.low_slope, found.high_slope)))


def has_more(counts: Sequence[float]) -> bool:
    """Whether the last quarter never comes down to what was usual in the first: something that comes and goes is no
    growth, one that stays is."""
    quarter = max(1, len(counts) // 4)
    return min(counts[-quarter:]) > statistics.median(counts[:quarter])


def top_lines(traces: Sequence[tuple[float, Mapping[str, float]]]) -> list[Line]:
    """Those that have grown most from the first third to the last. traces: second, bytes by line."""
    seconds = [at for at, _ in traces]
    third = max(1, len(traces) // 3)
    lines = []
    for name in {name for _, sizes in traces for name in sizes}:
        series = [sizes.get(name, 0.0) for _, sizes in traces]
        before, after = statistics.median(series[:third]), statistics.median(series[-third:])
        lines.append((after - before, after, name, series))
    lines.sort(key=lambda line: line[:3], reverse=True)
    return [Line(name, after, grown, slope(seconds, series)) for grown, after, name, series in lines[:TOP]]


def still_growing(
    lines: Sequence[Line], traces: Sequence[tuple[float, Mapping[str, float]]], most: float
) -> list[Line]:
    """Those of the lines that surely grow by more than so many MB an hour, and did so to the end: what fills up to a
    limit slows down."""
    half = traces[len(traces) // 2 :]
    seconds = [at for at, _ in half]
    late = {line.name: slope(seconds, [sizes.get(line.name, 0.0) for _, sizes in half]) for line in lines}
    return [line for line in lines if line.slope.low > most and late[line.name].low > most]
