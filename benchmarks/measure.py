"""Two things on the same work, turn by turn in one run, as a ratio of medians. Noise hits both alike."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One comparison; ratio > 1 means ours is better. Spreads are the quartiles of each side."""

    name: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    goal: float | None
    spread: dict[str, list[float]]

    def as_json(self) -> dict[str, Any]:
        """The row as bench.json holds it."""
        return {
            "name": self.name, "ours": self.ours, "theirs": self.theirs, "unit": self.unit, "ratio": self.ratio,
            "goal": self.goal, "machine": machine(), "spread": self.spread,
        }  # fmt: skip


def machine() -> str:
    """What ran this, in a few words."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def timed(work: Work) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(rounds: int, *works: Work) -> list[list[float]]:
    """Seconds of each work, in turns, after one unmeasured turn of all."""
    for work in works:
        work()
    turns = [[timed(work) for work in works] for _ in range(rounds)]
    return [list(side) for side in zip(*turns, strict=True)]


def compare_times(name: str, ours: list[float], theirs: list[float], per: int, goal: float | None) -> Row:
    """A row of milliseconds per item from two lists of seconds for `per` items; less is better."""
    a, b = ([1000 * second / per for second in side] for side in (ours, theirs))
    median_a, median_b = statistics.median(a), statistics.median(b)
    spread = {"ours": quartiles(a), "theirs": quartiles(b)}
    return Row(name, round(median_a, 3), round(median_b, 3), "ms", round(median_b / median_a, 2), goal, spread)


def quartiles(values: list[float]) -> list[float]:
    """First and third quartile."""
    if len(values) < 2:
        return [round(values[0], 3)] * 2
    cuts = statistics.quantiles(values, n=4)
    return [round(cuts[0], 3), round(cuts[2], 3)]
