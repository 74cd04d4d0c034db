"""What an engine gives back when its batch is halved, measured in a process of its own.

python -m benchmarks.given_back GRAPH:16,3,112,112      prints it as JSON, a list of steps
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.reopen import ROOT, Job, resident_mb
from faceedge.backends.base import Canvas, Level
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.manifest import Normalisation
from faceedge.types import Image

TICK_S = 0.25
"""How long a stage without work waits: `pipeline.WAIT_S`."""
SETTLED_S = 1.0
STEADY_RUNS = 4
NORM = Normalisation(colour="bgr")


@dataclass(frozen=True)
class Step:
    """From batches of `batch` to half of that. before, after: resident megabytes beyond those of the open engine, the
    latter a second after the trim. seconds: until 40 % were given back; 0 when they never were. working: what the
    engine tells of itself, megabytes before and after. is_busy: batches of half the size ran all the while."""

    batch: int
    before: float
    after: float
    seconds: float
    working: tuple[float, float]
    is_busy: bool

    @property
    def share(self) -> float:
        """Of the bytes that depend on the batch."""
        return 1 - self.after / self.before


def halved(job: Job, *, is_busy: bool = True) -> list[Step]:
    """From the batch of the shape down to 1, in a fresh process."""
    graph, shape = job
    command = [sys.executable, "-m", "benchmarks.given_back", f"{graph}:{','.join(map(str, shape))}", str(int(is_busy))]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    return [Step(**step) for step in json.loads(done.stdout)]


class Stage:
    """What a stage's thread does with an engine: batches of `batch`, or, with 0, a tick now and then."""

    def __init__(self, graph: Path, shape: tuple[int, ...]) -> None:
        _, _, height, width = shape
        self.engine = OnnxEngine(graph, max_batch=shape[0])
        self.preprocessor = CpuPreprocessor()
        self.batch = 1
        self.is_over = False
        self.runs = 0
        self._input = self.engine.inputs[0].name
        self._image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        self._canvas = Canvas(width, height, (Level(0, 0, width, height),))

    def run(self) -> None:
        """Until `is_over`."""
        while not self.is_over:
            if self.batch:
                self._run([self._image] * self.batch)
            else:
                time.sleep(TICK_S)
                self.engine.tidy()
                self.preprocessor.tidy()

    def _run(self, images: list[Image]) -> None:
        self.engine.infer({self._input: self.preprocessor.letterbox(images, self._canvas, NORM)})
        self.runs += 1

    def settle(self, batch: int) -> None:
        """Runs batches of this size until memory has what they need; then those of before."""
        self.batch = batch
        target = self.runs + STEADY_RUNS
        while self.runs < target:
            time.sleep(0.01)

    def trim(self) -> None:
        """From another thread, as the governor does."""
        self.engine.trim()
        self.preprocessor.trim()


def main() -> None:
    """The process that measures itself."""
    path, _, shape = sys.argv[1].rpartition(":")
    stage = Stage(Path(path), tuple(int(side) for side in shape.split(",")))
    is_busy = sys.argv[2:] != ["0"]
    thread = threading.Thread(target=stage.run)
    thread.start()
    stage.settle(1)
    stage.batch = 0
    stage.trim()
    time.sleep(3 * TICK_S)
    floor, batch, steps = resident_mb(), stage.engine.max_batch, []
    while batch > 1:
        steps.append(_step(stage, batch, floor, is_busy=is_busy))
        batch //= 2
    stage.is_over = True
    thread.join()
    print(json.dumps([asdict(step) for step in steps]))


def _step(stage: Stage, batch: int, floor: float, *, is_busy: bool) -> Step:
    stage.settle(batch)
    before, held = resident_mb() - floor, stage.engine.memory.working / 1e6
    stage.batch = batch // 2 if is_busy else 0
    start, back_after = time.monotonic(), 0.0
    stage.trim()
    now = before
    while time.monotonic() < start + SETTLED_S:
        time.sleep(0.005)
        now = resident_mb() - floor
        if now > 0.6 * before:
            back_after = 0.0  # it came and went: what counts is when it is gone for good
        elif not back_after:
            back_after = time.monotonic() - start
    working = held, stage.engine.memory.working / 1e6
    return Step(batch, round(before, 1), round(now, 1), round(back_after, 3), working, is_busy)


if __name__ == "__main__":
    main()
