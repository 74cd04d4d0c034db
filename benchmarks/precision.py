"""What `precision = "auto"` would let serve against FP32, per network, and the weights in memory of the two.

The networks are those of FACEEDGE_TEST_ASSETS; without them, dlib's. Pictures are noise: nothing is judged here, only
timed, and a network whose INT8 is slower counts with FP32 against itself.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import onnx

from benchmarks.measure import Row, compare_times, interleaved
from faceedge.backends.onnx import OnnxEngine
from faceedge.config import cache_dir
from faceedge.models.defaults import default_models
from faceedge.models.prelu import rewritten
from faceedge.quantize.build import Options, Quantiser
from faceedge.quantize.fast import write_fast
from faceedge.types import Floats

ASSETS = Path(os.environ.get("FACEEDGE_TEST_ASSETS", Path(__file__).parents[2] / "shared")) / "models"
DENSE, NEVER_SLOWER, WEIGHTS = 1.8, 1.0, 1 / 0.45
WORTH, TURNS = 1.05, 15


@dataclass(frozen=True)
class Job:
    """A float graph, what it takes, and the goal for its speed."""

    name: str
    graph: Path
    shape: tuple[int, int, int, int]
    goal: float = NEVER_SLOWER


def rows() -> list[Row]:
    """Two rows a network: time of one picture, and bytes of the weights."""
    return [row for job in _jobs() for row in _measured(job)]


def _measured(job: Job) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="faceedge-") as scratch:
        plain, fast = Path(scratch) / "int8.onnx", Path(scratch) / "fast.onnx"
        pictures = np.random.default_rng(0).uniform(-1, 1, (4, *job.shape[1:])).astype(np.float32)
        quick = Options(method="minmax", equalise=False, centre=False, correct_bias=False)
        made = Quantiser(job.graph, lambda: iter([pictures]), quick).write(plain)
        int8 = fast if write_fast(plain, fast, [pictures]) else plain
        yield _time(job, int8, _floats(job.graph, Path(scratch)), pictures[:1])
    before, after = made.weights_before / 1e6, made.weights_after / 1e6
    spread = {"ours": [round(after, 3)] * 2, "theirs": [round(before, 3)] * 2}
    name = f"{job.name}: weights in INT8 against FP32"
    yield Row(name, round(after, 3), round(before, 3), "MB", round(before / after, 2), round(WEIGHTS, 2), spread)


def _floats(graph: Path, scratch: Path) -> list[Path]:
    """The forms in which FP32 may serve: as it is, and with PReLU rewritten where there is any."""
    found = rewritten(onnx.shape_inference.infer_shapes(onnx.load(graph)))
    if found is None:
        return [graph]
    onnx.save(found[0], scratch / "rewritten.onnx")
    return [graph, scratch / "rewritten.onnx"]


def _time(job: Job, int8: Path, floats: list[Path], picture: Floats) -> Row:
    """As `auto` chooses: INT8 where it is worth it, else FP32, which is then FP32 against itself. Of two forms of FP32
    the faster one counts."""
    engines = [OnnxEngine(graph, max_batch=1) for graph in (int8, *floats)]
    inputs = {engines[0].inputs[0].name: picture}
    ours, *sides = interleaved(TURNS, *(lambda engine=engine: engine.infer(inputs) for engine in engines))
    for engine in engines:
        engine.close()
    theirs = min(sides, key=median)
    ratio = float(np.median(np.array(theirs) / np.array(ours)))
    if ratio >= WORTH:
        return compare_times(f"{job.name}: auto chose INT8, against FP32, 1 thread", ours, theirs, 1, job.goal)
    name = f"{job.name}: auto chose FP32 (INT8 is {ratio:.2f} times as fast), against FP32, 1 thread"
    return compare_times(name, theirs, theirs, 1, job.goal)


def _jobs() -> list[Job]:
    models = default_models(cache_dir())
    dlib = [
        Job("dlib-resnet", models / "dlib-resnet" / "1" / "model.onnx", (1, 3, 150, 150), DENSE),
        Job("dlib-mmod", models / "dlib-mmod" / "1" / "model.onnx", (1, 3, 320, 320)),
    ]
    if not ASSETS.is_dir():
        return dlib
    wanted = (
        ("bench_iresnet50_noweights", 112, DENSE), ("scrfd_500m", 320, NEVER_SLOWER), ("yunet_n", 320, NEVER_SLOWER),
        ("retinaface_mnet025", 320, NEVER_SLOWER), ("mobilefacenet_128", 112, NEVER_SLOWER),
        ("mobileface_v2_256", 112, NEVER_SLOWER), ("edgeface_xxs_512", 112, NEVER_SLOWER),
    )  # fmt: skip
    return dlib + [Job(name, ASSETS / f"{name}.onnx", (1, 3, side, side), goal) for name, side, goal in wanted]
