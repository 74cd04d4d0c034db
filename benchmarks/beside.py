"""What a network takes of memory when it is opened beside another, measured in a process of its own.

python -m benchmarks.beside GRAPH:8,3,112,112 …      one line each: opened, against its file; at work, against its input

`jobs/room.py` has its factors from here. The first network serves while all the others are measured: what ONNX Runtime
takes once is no part of them. Inputs of several rows come after one of one row, as in a daemon.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.reopen import ROOT, Job, resident_mb
from faceedge.backends.onnx import OnnxEngine

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
MEASURE = "measure"


@dataclass(frozen=True)
class Taken:
    """Resident megabytes, the most there were: once it was open, more while it ran, and left after it was closed."""

    opened: float
    working: float
    left: float


def beside(serving: Job, job: Job) -> Taken:
    """Of one network, in a fresh process in which another one has run."""
    command = [sys.executable, "-m", "benchmarks.beside", MEASURE, _text(serving), _text(job)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    return Taken(**json.loads(done.stdout))


def main() -> None:
    """Prints a line for every network, or is the process that measures itself."""
    if sys.argv[1] == MEASURE:
        print(json.dumps(asdict(_measured(_job(sys.argv[2]), _job(sys.argv[3])))))
        return
    for text in sys.argv[1:]:
        (graph, shape), taken = _job(text), beside(_job(sys.argv[1]), _job(text))
        file, sent = graph.stat().st_size / 1e6, 4 * float(np.prod(shape)) / 1e6
        print(
            f"{graph.parent.name}/{graph.name} {shape}: opened {taken.opened:.1f} MB, {taken.opened / file:.1f} x its "
            f"file; at work {taken.working:.1f} MB more, {taken.working / sent:.1f} x its input; "
            f"{taken.left:+.1f} MB once closed",
            flush=True,
        )


def _measured(serving: Job, job: Job) -> Taken:
    other = OnnxEngine(serving[0], max_batch=serving[1][0])
    for _ in range(2):
        _run(other, serving[1])
    graph, shape = job
    floor = resident_mb()
    _forget_peak()
    engine = OnnxEngine(graph, max_batch=shape[0])
    opened = _peak_mb() - floor
    _run(engine, (1, *shape[1:]))
    _forget_peak()
    for _ in range(2):
        _run(engine, shape)
    working = _peak_mb() - floor - opened
    engine.close()
    return Taken(round(opened, 1), round(working, 1), round(resident_mb() - floor, 1))


def _run(engine: OnnxEngine, shape: tuple[int, ...]) -> None:
    engine.infer({engine.inputs[0].name: np.full(shape, 0.5, np.float32)})


def _forget_peak() -> None:
    CLEAR.write_text("5", encoding="ascii")


def _peak_mb() -> float:
    line = next(line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def _text(job: Job) -> str:
    return f"{job[0]}:{','.join(map(str, job[1]))}"


def _job(text: str) -> Job:
    path, _, shape = text.rpartition(":")
    return Path(path), tuple(map(int, shape.split(",")))


if __name__ == "__main__":
    main()
