"""What opening and closing engines again and again leaves in memory, measured in a process of its own.

python -m benchmarks.reopen ROUNDS GRAPH:1,3,640,640 …      prints it as JSON
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from faceedge.backends.onnx import OnnxEngine

Job = tuple[Path, tuple[int, ...]]
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Left:
    """Resident megabytes: after one round, which loads what stays; after each round that followed; the most that was
    seen with an engine open."""

    first: float
    later: list[float]
    most: float

    @property
    def drift(self) -> float:
        """The end beside the start, as a share of the start."""
        return self.later[-1] / self.first - 1


def reopened(rounds: int, jobs: Sequence[Job]) -> Left:
    """Every graph is opened, run on an input of this shape and closed, `rounds` times over, in a fresh process."""
    named = [f"{graph}:{','.join(map(str, shape))}" for graph, shape in jobs]
    command = [sys.executable, "-m", "benchmarks.reopen", str(rounds), *named]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return Left(**json.loads(done.stdout))


def main() -> None:
    """The process that measures itself."""
    rounds, jobs = int(sys.argv[1]), [_job(text) for text in sys.argv[2:]]
    most = max(_once(*job) for job in jobs)
    first, later = resident_mb(), []
    for _ in range(rounds):
        most = max(most, *(_once(*job) for job in jobs))
        later.append(resident_mb())
    print(json.dumps(asdict(Left(first, later, most))))


def resident_mb() -> float:
    """Megabytes of this process that lie in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _once(graph: Path, shape: tuple[int, ...]) -> float:
    """Resident megabytes before the engine is closed."""
    engine = OnnxEngine(graph, max_batch=shape[0])
    for size in (1, shape[0]):  # the input, which is not the engine's, is gone before the engine is closed
        engine.infer({engine.inputs[0].name: np.zeros((size, *shape[1:]), np.float32)})
    seen = resident_mb()
    engine.close()
    return seen


def _job(text: str) -> Job:
    path, _, shape = text.rpartition(":")
    return Path(path), tuple(map(int, shape.split(",")))


if __name__ == "__main__":
    main()
