"""What passes through a tensor over all calibration images: a histogram of magnitudes and a few numbers a channel.

In: activations, batch by batch. Out: `Ranges`, of bounded size however many batches pass, which can be saved and taken
up again. Everything is a sum or an extreme, so the same batches in the same order give the same bytes.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import EngineError, StoreError
from faceedge.files import write_whole
from faceedge.types import Floats

BINS = 2048
Doubles = NDArray[np.float64]


def _none() -> Doubles:
    return np.zeros(0)


@dataclass(slots=True, eq=False)
class Spread:
    """Of one tensor. counts: how many values have a magnitude in each of BINS equal bins from 0 to `top`.

    axis: of the channels. Per channel: `low` and `high`, the extremes; `total` and `squares`, sums over `seen` values.
    """

    axis: int
    top: float = 0.0
    seen: int = 0
    counts: Doubles = field(default_factory=lambda: np.zeros(BINS))
    low: Doubles = field(default_factory=_none)
    high: Doubles = field(default_factory=_none)
    total: Doubles = field(default_factory=_none)
    squares: Doubles = field(default_factory=_none)

    def add(self, values: Floats) -> None:
        """Takes the values of one run, whose axis 0 is the batch. Raises EngineError when one is no finite number."""
        channels = np.moveaxis(values, self.axis, 0).reshape(values.shape[self.axis], -1)
        if not self.seen:
            self.total, self.squares = np.zeros(len(channels)), np.zeros(len(channels))
            self.low, self.high = np.zeros(len(channels)), np.zeros(len(channels))
        self.low = np.minimum(self.low, channels.min(axis=1))
        self.high = np.maximum(self.high, channels.max(axis=1))
        self.total += channels.sum(axis=1, dtype=np.float64)
        self.squares += np.einsum("cn,cn->c", channels, channels, dtype=np.float64)
        self.seen += channels.shape[1]
        peak = float(self.peak.max())
        if not np.isfinite(peak + self.squares.sum()):
            raise EngineError("the network computes values that are no finite numbers; verify it and the images")
        self._widen(peak)
        if self.top > 0:
            places = np.minimum((np.abs(channels) * np.float32(BINS / self.top)).astype(np.int32), BINS - 1)
            self.counts += np.bincount(places.ravel(), minlength=BINS)

    @property
    def peak(self) -> Doubles:
        """Largest magnitude, a channel."""
        return np.maximum(self.high, -self.low)

    @property
    def middles(self) -> Doubles:
        """The magnitude in the middle of each bin."""
        return np.asarray((np.arange(BINS) + 0.5) * (self.top / BINS), np.float64)

    @property
    def mean_square(self) -> Doubles:
        """Per channel."""
        return np.asarray(self.squares / max(self.seen, 1))

    def _widen(self, peak: float) -> None:
        """Doubles the bins' width until the largest value fits: two bins become one."""
        if self.top == 0:
            self.top = peak
        while peak > self.top:
            self.top *= 2
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2)])


class Ranges:
    """The spreads of several tensors, by name. axes: each tensor's channel axis. images: how many have passed.

    batches, is_whole: for whoever adds, how many batches that were, and whether there are no more."""

    def __init__(self, axes: dict[str, int]) -> None:
        self.spreads = {name: Spread(axis) for name, axis in axes.items()}
        self.images = 0
        self.batches = 0
        self.is_whole = False

    def add(self, tensors: dict[str, NDArray[Any]]) -> None:
        """Takes the tensors of one run over a few images."""
        for name, spread in self.spreads.items():
            spread.add(tensors[name])
        self.images += len(next(iter(tensors.values())))

    def __getitem__(self, name: str) -> Spread:
        return self.spreads[name]

    def save(self, path: Path, key: str) -> None:
        """Writes all of it; key: what it was made from. Raises StoreError."""
        passed = np.array([self.images, self.batches, self.is_whole], np.int64)
        arrays: dict[str, Any] = {"key": np.array(key), "passed": passed}
        for number, spread in enumerate(self.spreads.values()):
            arrays |= {f"{number}.{one.name}": np.asarray(getattr(spread, one.name)) for one in fields(Spread)}
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        try:
            write_whole(path, stream.getvalue())
        except OSError as error:
            raise StoreError(f"{path}: cannot keep the calibration's progress ({error.strerror})") from error

    def load(self, path: Path, key: str) -> bool:
        """Takes up what was saved under this key; False, and nothing changes, when there is no such thing."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                if str(arrays["key"]) != key:
                    return False
                spreads = [_spread(arrays, number) for number in range(len(self.spreads))]
                images, batches, is_whole = (int(number) for number in arrays["passed"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return False
        self.spreads = dict(zip(self.spreads, spreads, strict=True))
        self.images, self.batches, self.is_whole = images, batches, bool(is_whole)
        return True


def _spread(arrays: Any, number: int) -> Spread:
    found = {one.name: arrays[f"{number}.{one.name}"] for one in fields(Spread)}
    numbers = {name: found.pop(name).item() for name in ("axis", "top", "seen")}
    return Spread(**numbers, **found)
