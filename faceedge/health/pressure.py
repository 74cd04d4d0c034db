"""How short of memory the machine is, 0..1: the worst of what can be read, and where it was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from faceedge.health.cgroup import OwnGroup
from faceedge.health.machine import ROOT, memory_table, read_text

STALLS = ((0.0, 0.0), (10.0, 0.80), (20.0, 0.92), (40.0, 1.0))
"""Per cent of the last ten seconds in which some process waited for memory (`some avg10`), and the pressure we take it
for; straight lines between. Our choice: at 10 % batches halve, at 20 % work is shed. No share of use corresponds to a
stall; what matters is that they rise together."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """share: 0..1. source: for the operator, as `cgroup 84 %` or `stalls 12 %`."""

    share: float
    source: str


@dataclass(slots=True)
class PressureGauge:
    """Reads from below `root`; one thread. A source that is absent, switched off or garbled has no say."""

    root: Path = ROOT
    _group: OwnGroup = field(init=False)

    def __post_init__(self) -> None:
        self._group = OwnGroup(self.root)

    def read(self) -> Pressure | None:
        """The worst; None where nothing can be read."""
        return max(self._all(), key=lambda pressure: pressure.share, default=None)

    def _all(self) -> Iterator[Pressure]:
        table = memory_table(self.root)
        if total := table.get("MemTotal", 0):
            # On a Jetson this is where memory of the GPU is seen; NvMap's own line is missing from some kernels.
            if (available := table.get("MemAvailable")) is not None:
                yield _used("memory", (total - available) / total)
            if (mapped := table.get("NvMapMemUsed")) is not None:
                yield _used("NvMap", mapped / total)
        if (group := self._group.share()) is not None:
            yield _used("cgroup", group)
        if (stalls := _stalls(read_text(self.root / "proc/pressure/memory"))) is not None:
            yield Pressure(_mapped(stalls), f"stalls {stalls:.0f} %")


def _used(what: str, share: float) -> Pressure:
    share = min(1.0, max(0.0, share))
    return Pressure(share, f"{what} {100 * share:.0f} %")


def _stalls(text: str) -> float | None:
    """Per cent, out of `some avg10=0.31 avg60=…`; None where the kernel keeps no such account."""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["some"] and len(words) > 1 and words[1].startswith("avg10="):
            try:
                per_cent = float(words[1].removeprefix("avg10="))
            except ValueError:
                return None
            return per_cent if 0 <= per_cent <= 100 else None  # false for what is no number
    return None


def _mapped(per_cent: float) -> float:
    for (left, low), (right, high) in pairwise(STALLS):
        if per_cent <= right:
            return low + (high - low) * (per_cent - left) / (right - left)
    return STALLS[-1][1]
