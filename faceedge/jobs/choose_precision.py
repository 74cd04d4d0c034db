"""Which precision is fastest here: graphs that passed in, timed turn by turn, the choice and its reasons out.

Kept in `<state>/models/precision.toml`, by device: what is fast on one machine is slow on another.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tomli_w
from pydantic import ValidationError

from faceedge.backends.base import Engine
from faceedge.config import EngineSettings
from faceedge.errors import StoreError
from faceedge.files import write_whole
from faceedge.health.machine import cores, machine_name
from faceedge.jobs.calibration.eyes import open_engine
from faceedge.manifest import Manifest, Part
from faceedge.toml import read_toml
from faceedge.types import Floats

FILE = "precision.toml"
ROUNDS, LEAST_ROUNDS, BUDGET_S = 25, 5, 4.0
MOST_CALL_S = 0.6
"""A batch is halved until one call takes no longer."""
Precision = Literal["fp32", "int8", "mixed"]
Clock = Callable[[], float]


class Timing(Part):
    """One candidate at one batch size. ms: median for one picture, ms_quartiles beside it; times: how many times as
    fast as float, the median over rounds in which both took turns; low, high: quartiles of that."""

    package: str
    precision: Precision
    batch: int
    ms: float
    ms_quartiles: tuple[float, float]
    times: float
    low: float
    high: float


class Choice(Part):
    """What serves best on one device. source: build of the float package."""

    device: str
    source: str
    package: str
    precision: Precision
    why: str
    date: datetime.date
    timings: tuple[Timing, ...]


class _Choices(Part):
    choice: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph that passed its gates, or the float one."""

    package: str
    precision: Precision
    graph: Path


def time_all(
    candidates: Sequence[Candidate], manifest: Manifest, picture: Floats, settings: EngineSettings,
    clock: Clock = time.perf_counter,
) -> tuple[Timing, ...]:  # fmt: skip
    """Times the candidates, the float one first, at batch 1 and at the largest that the profile and patience allow.

    picture: float32 (1, 3, h, w), one that the flow would feed. Raises PackageError, EngineError.
    """
    engines = [open_engine(one.graph, manifest, settings) for one in candidates]
    try:
        timings: list[Timing] = []
        for batch in _batches(engines[0], picture, manifest.max_batch, clock):
            timings += _timed(candidates, engines, np.repeat(picture, batch, axis=0), clock)
        return tuple(timings)
    finally:
        for engine in engines:
            engine.close()


def choose(timings: Sequence[Timing], worth: float) -> tuple[str, Precision, str]:
    """Package, precision and why. Another than float is taken when it is `worth` times as fast over all batch sizes,
    in the geometric mean, and at none slower."""
    by_package: dict[str, list[Timing]] = {}
    for one in timings:
        by_package.setdefault(one.package, []).append(one)
    floats = next(rows for rows in by_package.values() if rows[0].precision == "fp32")
    gains = {label: _gain(rows) for label, rows in by_package.items()}
    good = [label for label, rows in by_package.items() if gains[label] >= worth and min(r.times for r in rows) >= 1]
    best = max(good, key=lambda label: gains[label], default=floats[0].package)
    others = [label for label in by_package if label != floats[0].package]
    if best == floats[0].package:
        told = "; ".join(f"{_name(by_package[label])} is {_words(by_package[label])}" for label in others)
        return best, "fp32", f"float stays: {told or 'nothing else passed its gates'}"
    return best, by_package[best][0].precision, f"{_name(by_package[best])} is {_words(by_package[best])}"


def device_words(settings: EngineSettings) -> str:
    """What a choice holds for: the machine and how its engines are set."""
    return f"{machine_name()}, {cores()} cores, {settings.threads} threads, {'+'.join(settings.providers)}"


def remember(choice: Choice, state: Path) -> None:
    """Writes a choice down in place of an older one for the same device and source, and of a damaged file.

    Raises StoreError when it cannot be written.
    """
    path = state / "models" / FILE
    try:
        known = choices(state)
    except StoreError:
        known = ()
    kept = [one for one in known if (one.device, one.source) != (choice.device, choice.source)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = tomli_w.dumps(_Choices(choice=(*kept, choice)).model_dump())
        write_whole(path, content.encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); make room") from error


def choices(state: Path) -> tuple[Choice, ...]:
    """All that were written down. Raises StoreError on a damaged file."""
    path = state / "models" / FILE
    if not path.exists():
        return ()
    remedy = "delete it; a calibration chooses anew"
    try:
        return _Choices.model_validate(read_toml(path, StoreError, remedy)).choice
    except ValidationError as error:
        raise StoreError(f"{path}: damaged; {remedy}") from error


def _batches(engine: Engine, picture: Floats, most: int, clock: Clock) -> list[int]:
    """1 and the largest power of two up to `most` whose call takes a bearable time."""
    arrays = {engine.inputs[0].name: picture}
    engine.infer(arrays)
    start = clock()
    engine.infer(arrays)
    alone_s = max(clock() - start, 1e-6)
    batch = 1
    while 2 * batch <= most and 2 * batch * alone_s <= MOST_CALL_S:
        batch *= 2
    return [1, batch] if batch > 1 else [1]


def _timed(
    candidates: Sequence[Candidate], engines: Sequence[Engine], pictures: Floats, clock: Clock
) -> list[Timing]:  # fmt: skip
    rounds = _rounds(engines, pictures, clock)
    found = []
    for place, one in enumerate(candidates):
        ratios = np.array([row[0] / row[place] for row in rounds])
        low, times, high = (float(value) for value in np.quantile(ratios, (0.25, 0.5, 0.75)))
        first, ms, third = np.quantile([1000 * row[place] / len(pictures) for row in rounds], (0.25, 0.5, 0.75))
        found.append(
            Timing(
                package=one.package, precision=one.precision, batch=len(pictures), ms=round(float(ms), 4),
                ms_quartiles=(round(float(first), 4), round(float(third), 4)),
                times=round(times, 3), low=round(low, 3), high=round(high, 3),
            )
        )  # fmt: skip
    return found


def _rounds(engines: Sequence[Engine], pictures: Floats, clock: Clock) -> list[list[float]]:
    """Seconds of each engine, turn by turn, after one unmeasured turn."""
    arrays: Mapping[str, Floats] = {engines[0].inputs[0].name: pictures}
    for engine in engines:
        engine.infer(arrays)
    rounds: list[list[float]] = []
    begun = clock()
    while len(rounds) < LEAST_ROUNDS or (len(rounds) < ROUNDS and clock() - begun < BUDGET_S):
        row = []
        for engine in engines:
            start = clock()
            engine.infer(arrays)
            row.append(max(clock() - start, 1e-9))
        rounds.append(row)
    return rounds


def _gain(rows: Sequence[Timing]) -> float:
    return math.exp(sum(math.log(max(row.times, 1e-9)) for row in rows) / len(rows))


def _name(rows: Sequence[Timing]) -> str:
    return {"fp32": "float", "int8": "INT8", "mixed": "mixed INT8 and float"}[rows[0].precision]


def _words(rows: Sequence[Timing]) -> str:
    return " and ".join(f"{row.times:.2f} times as fast as float at batch {row.batch}" for row in rows)
