"""The threaded pipeline on the demo clip against its slowest stage alone, and against a naive serial loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.clip import Bench, opened
from benchmarks.measure import Row, compare_times, interleaved
from faceedge import assess
from faceedge.cameras import open_camera
from faceedge.capture import paced
from faceedge.decide import Judge
from faceedge.pipeline import Pipeline
from faceedge.publish import Publisher
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import RecogniseStage
from faceedge.track import Tracker
from faceedge.types import Frame, Shot

ROUNDS = 3


def rows() -> list[Row]:
    """Milliseconds a frame; raises when a frame was dropped or the decisions differ."""
    with opened() as bench:
        length = sum(1 for _ in frames(bench.clip))
        threaded = partial(run_pipeline, bench, length)
        ours, alone, naive = interleaved(ROUNDS, threaded, partial(detect_alone, bench), partial(naive_loop, bench))
        if threaded() != staged_serial(bench):
            raise SystemExit("the threaded pipeline decides differently from the same stages in one loop")
    return [
        compare_times("pipeline on the demo clip, against its detector alone", ours, alone, length, 0.9),
        compare_times("pipeline on the demo clip, against embedding every face in one loop", ours, naive, length, None),
    ]


def frames(clip: Path) -> Iterator[Frame]:
    """Every frame of the clip, at once, with its media time from 0."""
    return paced("entry", lambda: open_camera(f"file:{clip}"), threading.Event(), realtime=False, clock=lambda: 0.0)


def run_pipeline(bench: Bench, length: int) -> list[tuple[Any, ...]]:
    """The real threads and queues, without loss; its decisions."""
    told: list[dict[str, Any]] = []
    recognise = recogniser(bench, told.append)
    pipeline = Pipeline(
        {"entry": lambda _: frames(bench.clip)}, DetectStage(bench.vision, told.append), recognise, recognise.finish,
        lossless=True,
    )  # fmt: skip
    pipeline.start()
    while not pipeline.is_finished:
        for thread in threading.enumerate():
            if thread.name in ("detect", "recognise"):
                thread.join()
    counters = pipeline.counters()
    if counters["frames_passed"] != length or counters["frames_dropped"]:
        raise SystemExit(f"frames were lost: {counters}")
    return decisions(told)


def staged_serial(bench: Bench) -> list[tuple[Any, ...]]:
    """The same stages in one loop, one frame at a time."""
    told: list[dict[str, Any]] = []
    detect, recognise = DetectStage(bench.vision, told.append), recogniser(bench, told.append)
    for frame in frames(bench.clip):
        recognise(detect([frame]))
    recognise.finish()
    return decisions(told)


def naive_loop(bench: Bench) -> None:
    """Detect, then embed and judge every face of every frame, as a first script would."""
    tracker, judge = Tracker(), judge_of(bench)
    for frame in frames(bench.clip):
        tracked = tracker.update(bench.vision.detector.detect([frame.image])[0], frame.captured)
        faces = [face for _, face in tracked]
        for (track, face), crop in zip(tracked, bench.vision.crops(frame.image, faces), strict=True):
            template = bench.vision.recognizer.embed([crop])[0]
            shot = Shot(
                "entry", track, frame.seq, frame.captured, face, crop, assess.shot(face, crop, bench.vision.scheme)
            )
            judge.vote(shot, template, bench.identifier.identify(template), frame.captured)


def detect_alone(bench: Bench) -> None:
    """The slowest stage by itself: decode the clip and find its faces."""
    for frame in frames(bench.clip):
        bench.vision.detector.detect([frame.image])


def recogniser(bench: Bench, tell: Callable[[dict[str, Any]], None]) -> RecogniseStage:
    """A recognise stage that tells its decisions and opens nothing."""
    publisher = Publisher(None, {}, tell, lambda *_: None, realtime=False)
    return RecogniseStage(bench.vision, bench.identifier, judge_of(bench), publisher, None)


def judge_of(bench: Bench) -> Judge:
    """A fresh judge with the default rules."""
    return Judge(bench.rules, bench.vision.door_thresholds, bench.similarity)


def decisions(told: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What was decided, without times."""
    keys = ("track", "segment", "outcome", "reason", "person", "similarity", "seq")
    return [tuple(event[key] for key in keys) for event in told if event["event"] == "decision"]
