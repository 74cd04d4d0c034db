"""Four cameras at 25 pictures a second before real networks that can serve half of them: how late, how fair, how much
memory. `python -m benchmarks overload`."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median, quantiles
from typing import Any

import numpy as np

from benchmarks.clip import Bench, opened
from benchmarks.measure import Row, quartiles, timed
from benchmarks.pipeline import frames, judge_of
from faceedge.config import Decide
from faceedge.deadlines import Deadlines, Place
from faceedge.decide import DEADLINE_S, PARTING
from faceedge.health.machine import resident
from faceedge.pipeline import Pipeline
from faceedge.publish import Publisher
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import RecogniseStage
from faceedge.types import Frame, Image, Shot

CAMERAS, RATE = ("entry", "yard", "gate", "hall"), 25
ROUNDS, WARM_S, MEASURED_S = 5, 3.0, 15.0
HALF_S = 2 / (RATE * len(CAMERAS))
SHOWN = slice(100, 160)
"""Pictures of the clip in which the astronaut stands before the camera."""
STEP_PX = 16
"""Pictures grow and shrink by this around the face until the detector manages half of all."""


@dataclass
class _Round:
    made: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    told: list[dict[str, Any]] = field(default_factory=list)

    def latencies(self, *, lost: bool) -> list[float]:
        """ms of the decisions about whom the camera still sees: those that were good, or those dropped as too late."""
        made = [event for event in self.told if event["event"] == "decision" and event["reason"] not in PARTING]
        return [event["latency_ms"] for event in made if (event["verdict"] == "lost") == lost]


def rows() -> list[Row]:
    """p50 and p99 of published decisions against the deadline, shares, memory; raises when frames went uncounted."""
    deadline_ms = 1000 * DEADLINE_S
    p50, p99, lost, shares, fair, grown = [], [], [], [], [], []
    with opened() as bench:
        pictures = _half_served(bench)
        for _ in range(ROUNDS):
            one, growth = _round(bench, pictures)
            good, late = one.latencies(lost=False), one.latencies(lost=True)
            cuts = quantiles(good, n=100)
            p50.append(cuts[49])
            p99.append(cuts[98])
            lost.append(100 * len(late) / (len(good) + len(late)))
            shares.append(sum(one.seen.values()) / sum(one.made.values()))
            fair.append(min(one.seen.values()) / max(one.seen.values()))
            grown.append(growth / 1e6)
    return [
        _row("overload: capture to decision, p50, against the deadline", p50, deadline_ms, "ms", 1.0),
        _row("overload: capture to decision, p99, against the deadline", p99, deadline_ms, "ms", 1.0),
        _row("overload: decisions dropped at the very end as too late", lost, 1.0, "%", None),
        _row("overload: pictures served of those made", shares, 1.0, "share", None),
        _row("overload: pictures of the camera served least, of the most", fair, 1.0, "share", None),
        _row(f"overload: memory grown in {MEASURED_S:g} s", grown, 8.0, "MB", None),
    ]


def _row(name: str, ours: list[float], theirs: float, unit: str, goal: float | None) -> Row:
    middle = median(ours)
    ratio = round(theirs / middle, 2) if middle > 0 else 99.0
    return Row(name, round(middle, 3), theirs, unit, ratio, goal, {"ours": quartiles(ours), "theirs": [theirs] * 2})


def _half_served(bench: Bench) -> list[Image]:
    """The clip cut to a size of which one thread detects half of what comes. The cut stands still, the face moves."""
    clip = [frame.image for frame in frames(bench.clip)][SHOWN]
    x0, y0, x1, y1 = (int(side) for side in bench.vision.detector.detect([clip[len(clip) // 2]])[0][0].box)
    each_s, pictures = 0.0, clip
    for margin in range(STEP_PX, max(clip[0].shape), STEP_PX):
        rows, columns = slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin)
        pictures = [np.ascontiguousarray(picture[rows, columns]) for picture in clip]
        each_s = median(timed(partial(bench.vision.detector.detect, [picture])) for picture in pictures[:20])
        if each_s >= HALF_S:
            break
    height, width = pictures[0].shape[:2]
    print(f"pictures of {width} x {height}: {1 / each_s:.0f} a second of {RATE * len(CAMERAS)}", file=sys.stderr)
    return pictures


def _round(bench: Bench, pictures: Sequence[Image]) -> tuple[_Round, int]:
    one = _Round()
    deadlines = Deadlines(("detect", "recognise"), DEADLINE_S)

    def late_at(place: Place, captured: float) -> bool:
        return deadlines.is_late(place, captured, time.monotonic())

    detect = DetectStage(bench.vision, lambda _: None, partial(late_at, "crops"))

    def counted(batch: Sequence[Frame]) -> list[Shot]:
        one.seen.update(frame.camera for frame in batch)
        return detect(batch)

    judge = judge_of(bench)
    judge.rules = Decide(cooldown_s=0)
    publisher = Publisher(None, {}, one.told.append, lambda *_: None)
    recognise = RecogniseStage(
        bench.vision, bench.identifier, judge, publisher, time.monotonic, is_late=partial(late_at, "recognise")
    )
    sources = {camera: partial(_camera, camera, pictures, one) for camera in CAMERAS}
    pipeline = Pipeline(sources, counted, recognise, recognise.finish, deadlines=deadlines)
    pipeline.start()
    time.sleep(WARM_S)
    before = resident().now
    time.sleep(MEASURED_S)
    grown = resident().now - before
    if left := pipeline.stop():
        raise SystemExit(f"did not end: {left}")
    _check(pipeline.counters(), one)
    return one, grown


def _check(counters: dict[str, int], one: _Round) -> None:
    """Frames in are those passed and dropped, and of those passed the ones worked on and too late."""
    waiting = sum(one.made.values()) - counters["frames_passed"] - counters["frames_dropped"]
    worked = counters["frames_passed"] - counters["frames_late"] - sum(one.seen.values())
    if not (0 <= waiting <= 2 * len(CAMERAS) and worked == 0):  # those of the last moment fall into closed queues
        raise SystemExit(f"{waiting} frames unaccounted for, {worked} lost: {counters}")


def _camera(camera: str, pictures: Sequence[Image], one: _Round, stop: threading.Event) -> Iterator[Frame]:
    """The film forwards and backwards, each picture a copy of its own as a camera gives it."""
    order = [*pictures, *reversed(pictures)]
    due, seq = time.monotonic(), 0
    while not stop.wait(max(0.0, due - time.monotonic())):
        one.made[camera] += 1
        yield Frame(camera, seq, order[seq % len(order)].copy(), time.monotonic())
        seq, due = seq + 1, due + 1 / RATE
