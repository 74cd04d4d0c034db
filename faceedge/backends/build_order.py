"""What is asked of a build and what comes of it: order, progress, outcome, and the one line of a failure. For
`build.py` and whoever calls it.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from pathlib import Path

from faceedge.backends.fingerprint import Fingerprint
from faceedge.backends.machine_facts import ROOT, l4t_fault
from faceedge.backends.plan import Place
from faceedge.errors import EngineError, one_line

LIMIT_S = 3600.0
SPARE_BYTES = 256 << 20
"""A choice, not a measurement: below this much available memory a build is ended, before the kernel looks for
somebody to kill."""


class BuildFailed(EngineError):
    """No plan was made; the one that was there is as it was."""


class BuildCancelled(BuildFailed):
    """Somebody asked for the end."""


@dataclass(frozen=True, slots=True)
class Order:
    """graph: the ONNX file that `wanted` names. key: `guarded.engines_key`. power_mode: the present one, noted beside
    the plan. limit_s: for the whole. spare_bytes: memory that is left to everybody else."""

    graph: Path
    place: Place
    wanted: Fingerprint
    key: bytes = field(repr=False)
    power_mode: str = ""
    limit_s: float = LIMIT_S
    spare_bytes: int = SPARE_BYTES
    root: Path = ROOT

    @property
    def engines(self) -> Path:
        return self.place.folder.parent

    @property
    def timing_cache(self) -> Path:
        """One a TensorRT and a module, for all engines: layers of one shape are timed once."""
        words = [
            re.sub(r"[^A-Za-z0-9.]+", "-", word).strip("-.") for word in (self.wanted.tensorrt, self.wanted.module)
        ]
        return self.engines / f"timing-{'-'.join(words)[:150]}.cache"


@dataclass(frozen=True, slots=True)
class Progress:
    """share: 0..1, never falling. phase: TensorRT's word for what it is at."""

    share: float
    phase: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan that was built. notes: sentences for whoever asked for it."""

    plan: Path
    seconds: float
    notes: tuple[str, ...] = ()


def sentence(order: Order, reason: str, *, wants_memory: bool = False) -> str:
    """One line: what failed, why, how to mend it, what goes on."""
    words = [f"{order.place.stem}: the engine was not built: {reason}"]
    if wants_memory:
        words.append("stop cameras, or lower workspace_mib in the recipe")
    if fault := l4t_fault(order.wanted.l4t):
        words.append(fault)
    if order.place.plan.exists():
        words.append("the engine that was there stays")
    return one_line("; ".join(words), 600)


def death(code: int) -> str:
    """How a process that said nothing of it ended."""
    if code == -signal.SIGKILL:
        return "its process was killed, most likely for want of memory"
    if code < 0:
        return f"TensorRT crashed (signal {-code})"
    return f"its process ended with code {code}"
