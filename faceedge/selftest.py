"""`faceedge selftest`: an installation in; out: a row for each check (passed, failed, or not run and why), and all
of it as one document. Run by the command line and, on a device, by tests/device.
"""

from __future__ import annotations

import dataclasses
import logging
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from faceedge import __version__
from faceedge.backends.machine_facts import Machine, l4t_fault, read_machine
from faceedge.checks import answers, arena, film, kernels, latency, memory
from faceedge.checks.base import Bench, Check, Finding, Share, Verdict, failed, judged
from faceedge.errors import FaceedgeError, MissingExtra, one_line
from faceedge.health import machine

log = logging.getLogger(__name__)

Tell = Callable[[str, float], None]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A check and what it came to."""

    check: str
    finding: Finding

    @property
    def verdict(self) -> Verdict:
        return self.finding.verdict


def _on_gpu(bench: Bench) -> str:
    return bench.no_gpu()


def _always(_bench: Bench) -> str:
    return ""


def check_system(bench: Bench, _tell: Share) -> Finding:
    """Versions, and whether they are known to be faulty."""
    bench.gpu_engines()
    facts = read_machine()
    return judged(filter(None, [l4t_fault(facts.l4t)]), _versions(facts), **dataclasses.asdict(facts))


def _versions(facts: Machine) -> str:
    named = {
        "TensorRT": facts.tensorrt, "CUDA": facts.cuda, "L4T": facts.l4t, "power mode": facts.power_mode,
    }  # fmt: skip
    return ", ".join(f"{name} {version}" for name, version in named.items() if version)


CHECKS: tuple[Check, ...] = (
    Check("L4T without known faults", _on_gpu, check_system),
    Check("ONNX Runtime, self-test vectors", _always, answers.check_onnx),
    *(
        Check(
            f"TensorRT {precision.upper()} against ONNX Runtime",
            partial(answers.no_precision, precision=precision),
            partial(answers.check_tensorrt, precision=precision),
        )
        for precision in answers.PRECISIONS
    ),
    Check("kernels against the CPU", _on_gpu, kernels.check_kernels),
    Check("two engines in one arena", _on_gpu, arena.check_arena),
    Check("memory of 1000 runs", _always, memory.check_memory),
    Check("latency by batch", _always, latency.check_latency),
    Check("film through the flow", film.no_film, film.check_film),
)
"""In this order: the film closes what the others use."""


def run(bench: Bench, tell: Tell, checks: Sequence[Check] = CHECKS) -> list[Row]:
    """A row for each check. A fault in one, ours too, is its row: the others are still worth knowing."""
    rows = []
    for number, check in enumerate(checks):
        start = partial(_told, tell, check.name, number, len(checks))
        start(0.0)
        rows.append(Row(check.name, _finding(check, bench, start)))
    return rows


def has_passed(rows: Sequence[Row]) -> bool:
    """No row has failed."""
    return all(row.verdict != "failed" for row in rows)


def document(bench: Bench, rows: Sequence[Row], made: datetime, seconds: float) -> Document:
    """The whole as JSON types."""
    return {
        "version": __version__,
        "made": made.isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "passed": has_passed(rows),
        "machine": {
            "name": machine.machine_name(), "cores": machine.cores(), "python": platform.python_version(),
        },
        "models": {
            role: {"package": package.label, "build": package.build, "precision": package.manifest.precision}
            for role, package in bench.packages.items()
        },
        "rows": [
            {"check": row.check, "verdict": row.verdict, "said": row.finding.said, "figures": dict(row.finding.figures)}
            for row in rows
        ],
    }  # fmt: skip


def _finding(check: Check, bench: Bench, share: Share) -> Finding:
    try:
        if why := check.why_not(bench):
            return Finding("not run", why)
        return check.run(bench, share)
    except MissingExtra as error:
        return Finding("not run", str(error))
    except FaceedgeError as error:
        return failed(str(error))
    except Exception as error:  # on a device that nobody has tried yet, every row counts
        log.exception("%s", check.name)
        return failed(f"internal fault: {type(error).__name__}: {one_line(str(error), 200)}")


def _told(tell: Tell, name: str, number: int, count: int, share: float) -> None:
    tell(name, (number + share) / count)
