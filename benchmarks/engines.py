"""Our engine around ONNX Runtime against its own plain `run`, and what an engine holds and leaves in memory.

The networks are those of FACEEDGE_TEST_ASSETS; without them, dlib's recogniser.
"""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure import Row, compare_times, interleaved, quartiles
from benchmarks.reopen import Job, reopened, resident_mb
from faceedge.backends.heap import return_freed_memory
from faceedge.backends.onnx import OnnxEngine
from faceedge.backends.onnx_session import open_session
from faceedge.config import cache_dir
from faceedge.models.defaults import default_models

ASSETS = Path(os.environ.get("FACEEDGE_TEST_ASSETS", Path(__file__).parents[2] / "shared")) / "models"
SHAPES = {
    "yunet_n": (1, 3, 320, 320), "retinaface_mnet025": (1, 3, 640, 640), "edgeface_xxs_512": (8, 3, 112, 112),
}  # fmt: skip
TURNS, ROUNDS, TRIMS = 100, 100, 5


def rows() -> list[Row]:
    """Times of an inference, then memory: after many rounds, and of an engine that was trimmed."""
    return [*map(bound, _jobs()), left_behind(_jobs()), *map(trimmed, _jobs())]


def bound(job: Job) -> Row:
    """Inputs and outputs bound and used again, against a `run` that makes its outputs anew; sessions are alike."""
    graph, shape = job
    engine, session = OnnxEngine(graph, max_batch=shape[0]), open_session(graph, 1, ("cpu",))
    batch = {engine.inputs[0].name: np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)}
    ours, theirs = interleaved(TURNS, lambda: engine.infer(batch), lambda: session.run(None, batch))
    engine.close()
    return compare_times(f"{_name(job)}: our engine against a plain run, 1 thread", ours, theirs, shape[0], None)


def left_behind(jobs: list[Job]) -> Row:
    """Resident memory at the end of all rounds against that after the first; the goal is 2 %."""
    left = reopened(ROUNDS, jobs)
    first, last = round(left.first, 1), round(left.later[-1], 1)
    spread = {"ours": quartiles(left.later), "theirs": [first] * 2}
    name = f"{', '.join(map(_name, jobs))}: memory after {ROUNDS} rounds of open, infer and close, against one"
    return Row(name, last, first, "MB", round(left.first / left.later[-1], 3), 0.98, spread)


def trimmed(job: Job) -> Row:
    """What an engine adds to resident memory after eight times the batch: with a trim, against without."""
    held = [_held(*job) for _ in range(TRIMS)]
    after, before = ([pair[side] for pair in held] for side in (0, 1))
    spread = {"ours": quartiles(after), "theirs": quartiles(before)}
    name = f"{_name(job)}: memory held after a batch of {8 * job[1][0]}, trimmed against not"
    ratio = round(median(before) / median(after), 2)
    return Row(name, round(median(after), 1), round(median(before), 1), "MB", ratio, None, spread)


def _held(graph: Path, shape: tuple[int, ...]) -> tuple[float, float]:
    """Megabytes of an open engine after a trim, and before it."""
    return_freed_memory()
    empty = resident_mb()
    engine = OnnxEngine(graph, max_batch=8 * shape[0])
    name = engine.inputs[0].name
    for size in (1, 8, 1):  # ONNX Runtime keeps what the very first run took
        engine.infer({name: np.zeros((size * shape[0], *shape[1:]), np.float32)})
    return_freed_memory()
    before = resident_mb() - empty
    engine.trim()
    engine.infer({name: np.zeros(shape, np.float32)})
    return_freed_memory()
    after = resident_mb() - empty
    engine.close()
    return after, before


def _jobs() -> list[Job]:
    found: list[Job] = [(ASSETS / f"{name}.onnx", shape) for name, shape in SHAPES.items()]
    if all(graph.exists() for graph, _ in found):
        return found
    return [(default_models(cache_dir()) / "dlib-resnet" / "1" / "model.onnx", (8, 3, 150, 150))]


def _name(job: Job) -> str:
    graph, shape = job
    name = graph.stem if graph.stem != "model" else graph.parents[1].name
    return f"{name} {shape[0]}x{shape[2]}x{shape[3]}"
