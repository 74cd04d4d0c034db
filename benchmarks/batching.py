"""Batches that leave when they should against batches of one size, and what a halving of the batch gives back.

Four cameras show faces as fast as they are taken; the networks are dlib's and, with the assets, YuNet with
MobileFaceNet.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.clip import Bench, opened
from benchmarks.engines import ASSETS
from benchmarks.given_back import Step, halved
from benchmarks.measure import Row, Work, compare_times, quartiles, timed
from benchmarks.pipeline import frames as film
from benchmarks.pipeline import recogniser
from benchmarks.reopen import Job
from faceedge.batching import Batching
from faceedge.config import EngineSettings
from faceedge.detect import Detector
from faceedge.effort import Effort
from faceedge.families import detector_family
from faceedge.gallery.search import Index, similarity
from faceedge.identify import Identifier
from faceedge.jobs.engines import OnnxEngines
from faceedge.jobs.vision import CROPS_ON_CPU, FRAMES_ON_CPU, Vision
from faceedge.models.landmarks import load_landmarker
from faceedge.models.store import make_package
from faceedge.pipeline import Pipeline
from faceedge.portions import Portions
from faceedge.recognize import Recognizer
from faceedge.stages.detect import DetectStage
from faceedge.types import Frame

CAMERAS = ("entry", "yard", "lift", "gate")
FRAMES, FEW_FRAMES, ROUNDS = 24, 6, 10
SIZES = (1, 2, 4, 8)
MOST = 16
NOT_FULL_S = 0.05
GOAL, GIVEN_BACK = 0.95, 0.4
HALVINGS = 3
SHAPES = {
    "yunet_n": (16, 3, 320, 320), "retinaface_mnet025": (16, 3, 320, 320), "mobilefacenet_128_fast": (16, 3, 112, 112),
    "edgeface_xxs_512": (16, 3, 112, 112),
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How batches are made. A fixed size waits until there are so many, and no longer than NOT_FULL_S."""

    name: str
    most: int
    batching: Batching


ADAPTIVE = Way("adaptive", MOST, Batching(0.02))
FIXED = [Way(f"{size}", size, Batching(NOT_FULL_S, lambda: False)) for size in SIZES]


def rows() -> list[Row]:
    """Throughput by pair of networks, then memory by network and step."""
    with opened() as bench:
        found = [throughput("dlib, two networks", bench, FEW_FRAMES)]
    if ASSETS.exists():
        with light() as bench:
            found.append(throughput("YuNet and MobileFaceNet", bench))
        found += [row for name, shape in SHAPES.items() for row in given_back((ASSETS / f"{name}.onnx", shape))]
    return found


@contextmanager
def light() -> Iterator[Bench]:
    """Two small networks of the assets, looking at the same clip."""
    with opened() as bench, TemporaryDirectory() as folder:
        root = Path(folder)
        detector = make_package(ASSETS / "yunet_n.onnx", "yunet", root)
        recognizer = make_package(ASSETS / "mobilefacenet_128_fast.onnx", "mobilefacenet", root)
        with Vision(detector, recognizer, OnnxEngines(EngineSettings())) as vision:
            nobody = Index([], np.zeros((0, 128), np.float32), np.zeros(0, np.float32), vision.metric, vision.space)
            yield replace(
                bench, vision=vision, identifier=Identifier(nobody),
                similarity=partial(similarity, metric=vision.metric),
            )  # fmt: skip


def throughput(name: str, bench: Bench, length: int = FRAMES) -> Row:
    """Milliseconds a frame, against the fixed size that is fastest; all sizes take turns in one run."""
    shown = list(islice(film(bench.clip), 20, 20 + length))
    ways = [ADAPTIVE, *FIXED]
    times = in_turns(ROUNDS, [partial(run, bench, shown, way) for way in ways])
    count = length * len(CAMERAS)
    best = min(range(1, len(ways)), key=lambda at: median(times[at]))
    title = f"{name}: batches that leave when they should, against {ways[best].name} at once, the best fixed size"
    return compare_times(title, times[0], times[best], count, GOAL)


def run(bench: Bench, shown: list[Frame], way: Way) -> None:
    """Every frame of every camera through the threads of the pipeline."""
    vision, effort = bench.vision, Effort(batch=way.most)
    vision.detector, vision.recognizer = detector(vision, way), recognizer(vision, way)
    recognise = recogniser(bench, lambda _: None)
    pipeline = Pipeline(
        {camera: partial(play, camera, shown) for camera in CAMERAS},
        DetectStage(vision, lambda _: None), recognise, recognise.finish,
        lossless=True, effort=lambda: effort, batching=way.batching,
        most={"detect": lambda: vision.detector.most, "recognise": lambda: vision.recognizer.most},
    )  # fmt: skip
    pipeline.start()
    for thread in threading.enumerate():
        if thread.name in {"detect", "recognise"}:
            thread.join()
    if (passed := pipeline.counters()["frames_passed"]) != len(shown) * len(CAMERAS):
        raise SystemExit(f"{passed} frames came through, not all")


def detector(vision: Vision, way: Way) -> Detector:
    """One that batches as the daemon's does, or batches of a fixed size whatever they cost."""
    portions = Portions(lambda: Effort(batch=way.most), on_cpu=FRAMES_ON_CPU if way is ADAPTIVE else None)
    package, engine = vision.detector_package, vision.engines["detector"]
    norm, marks = package.manifest.normalisation, load_landmarker(package)
    return Detector(engine, detector_family(package.manifest), vision.preprocessor, norm, marks, portions)


def recognizer(vision: Vision, way: Way) -> Recognizer:
    """Likewise."""
    portions = Portions(lambda: Effort(batch=way.most), on_cpu=CROPS_ON_CPU if way is ADAPTIVE else None)
    package, engine = vision.recognizer_package, vision.engines["recognizer"]
    return Recognizer(engine, vision.opener.preprocessor(engine), package.manifest, package.space, portions)


def in_turns(rounds: int, works: list[Work]) -> list[list[float]]:
    """Seconds of each work; in every round another begins, as each finds the memory that the one before it has left."""
    times: list[list[float]] = [[] for _ in works]
    for work in works:
        work()
    for turn in range(rounds):
        for place in range(len(works)):
            chosen = (turn + place) % len(works)
            times[chosen].append(timed(works[chosen]))
    return times


def play(camera: str, shown: list[Frame], stop: threading.Event) -> Iterator[Frame | None]:
    """The same frames for every camera."""
    for frame in shown:
        if stop.is_set():
            return
        yield replace(frame, camera=camera)


def given_back(job: Job) -> Iterator[Row]:
    """Share of the bytes that depend on the batch that a halving gave back within a second, while batches of half the
    size run; as the ratio of what was held before to what is held then."""
    runs = [halved(job) for _ in range(HALVINGS)]
    for steps in zip(*runs, strict=True):
        yield _given_back(job[0].stem, steps)


def _given_back(name: str, steps: tuple[Step, ...]) -> Row:
    before, after = ([step.before for step in steps], [step.after for step in steps])
    seconds = median(step.seconds for step in steps)
    size = steps[0].batch
    title = f"{name}: memory beyond the open engine, batches of {size} halved (40 % back after {1000 * seconds:.0f} ms)"
    goal = round(1 / (1 - GIVEN_BACK), 2) if size > 2 else None  # below, what does not depend on the batch is most
    ratio = round(median(before) / max(median(after), 0.1), 2)
    spread = {"ours": quartiles(after), "theirs": quartiles(before)}
    return Row(title, round(median(after), 1), round(median(before), 1), "MB", ratio, goal, spread)
