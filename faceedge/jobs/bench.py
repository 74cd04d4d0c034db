"""An opened vision and pictures in, times and rates on this machine out. Run by `faceedge bench`, which prints them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from faceedge.assess import shot
from faceedge.health.machine import Resident, resident
from faceedge.jobs.turns import LEAST, Clock, Lap, Progress, Seconds, Spread, Work, slowed, spread, take_turns
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.types import Face, Image

WALK_SHARE = 0.3
SHARES: dict[Role, float] = {"detector": 0.45, "recognizer": 0.25}
"""Of the time, for batches; large ones of a slow detector take seconds. In this order, so that the first call of each
network shows what memory it takes."""
PER = {
    "detect": "frame", "align and crop": "face", "assess": "face", "quality network": "face", "recognise": "face",
    "total": "frame with a face", "total with quality network": "frame with a face",
}  # fmt: skip
"""Stages of a face's way from frame to template, and what each is counted by."""

NAMES: dict[Role, str] = {"detector": "detector", "recognizer": "recogniser"}

Load = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Stage:
    """Milliseconds of one stage for one `per`: a frame, a face, a frame with a face."""

    name: str
    per: str
    ms: Spread


@dataclass(frozen=True, slots=True)
class Speed:
    """Frames (detector) or faces (recogniser) a second at one batch size."""

    role: Role
    batch: int
    per_s: Spread


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured. left_out: batches that were not, and why. slowed: see `turns.slowed`, of detection."""

    stages: tuple[Stage, ...]
    speeds: tuple[Speed, ...]
    left_out: tuple[str, ...]
    slowed: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    role: Role
    size: int
    work: Work


def measure(
    vision: Vision,
    frames: Sequence[Image],
    seconds: float,
    progress: Progress,
    clock: Clock = time.perf_counter,
    memory: Callable[[], Resident] = resident,
) -> Result:
    """Measures for about `seconds`. frames: uint8 (h, w, 3) BGR; those without a face measure detection only.

    Raises EngineError when a network fails.
    """
    start = clock()
    progress("warming up", 0.0)
    walk = _Walk(vision, frames, clock)
    way = Work(WALK_SHARE, walk.step, walk.renew)
    batches: list[_Batch] = []
    left_out: list[str] = []
    for role, share in SHARES.items():
        if (load := _load(role, vision, frames)) is not None:
            plan = _Plan(role, load, seconds * share, clock, memory)
            batches += plan.admitted(vision.engines[role].max_batch)
            left_out += plan.left_out
    works = [way, *(batch.work for batch in batches)]
    take_turns(works, start + seconds, clock, lambda: progress("measuring", min(1.0, (clock() - start) / seconds)))
    is_steady = len({frame.shape for frame in frames}) == 1
    return Result(
        tuple(_stages(way.samples)), tuple(_speed(batch) for batch in batches), tuple(left_out),
        slowed([one["detect"] for one in way.samples]) if is_steady else 1.0, clock() - start,
    )  # fmt: skip


class _Walk:
    """The way of the largest face of a frame, one frame a turn."""

    def __init__(self, vision: Vision, frames: Sequence[Image], clock: Clock) -> None:
        self._vision, self._clock = vision, clock
        self._frames = cycle(frames)
        self._frame = frames[0]

    def renew(self) -> None:
        self._frame = next(self._frames)

    def step(self) -> Seconds:
        """Seconds by stage; of a frame without a face those of detection."""
        vision, frame, lap = self._vision, self._frame, Lap(self._clock)
        faces = vision.detector.detect([frame])[0]
        lap.note("detect")
        if not faces:
            return lap.seconds
        face = _largest(faces)
        crops = vision.crops(frame, [face])
        lap.note("align and crop")
        shot(face, crops[0], vision.scheme)
        lap.note("assess")
        if vision.grader is not None:
            vision.grades(frame, [face], crops)
            lap.note("quality network")
        vision.recognizer.embed(crops)
        lap.note("recognise")
        return lap.seconds


def _load(role: Role, vision: Vision, frames: Sequence[Image]) -> Load | None:
    """What a batch of n does; the recogniser's needs a frame with a face."""
    if role == "detector":
        return lambda n: vision.detector.detect([frames[0]] * n)
    crop = _any_crop(vision, frames)
    return None if crop is None else lambda n: vision.recognizer.embed([crop] * n)


def _any_crop(vision: Vision, frames: Sequence[Image]) -> Image | None:
    for frame in frames:
        if faces := vision.detector.detect([frame])[0]:
            return vision.crops(frame, [_largest(faces)])[0]
    return None


def _largest(faces: Sequence[Face]) -> Face:
    return max(faces, key=lambda face: face.width_px * face.height_px)


class _Plan:
    """Which batches of a network fit into time and memory; each size is guessed from the one before."""

    def __init__(self, role: Role, load: Load, budget_s: float, clock: Clock, memory: Callable[[], Resident]) -> None:
        self.left_out: list[str] = []
        self._role, self._load = role, load
        self._budget_s = budget_s
        self._clock, self._memory = clock, memory

    def admitted(self, most: int) -> list[_Batch]:
        """Batches 1, 2, 4 … `most`, warmed up, as far as they fit; the first in any case."""
        sizes: list[int] = []
        cost_s = each_bytes = 0.0
        for size in sorted({2**power for power in range(most.bit_length())} | {most}):
            last = sizes[-1] if sizes else 0
            if sizes and (why := self._refusal(cost_s * size / last, each_bytes * (size - last))):
                self.left_out.append(f"{NAMES[self._role]}, batch {size} and larger: {why}")
                break
            cost_s, grown = self._tried(size)
            each_bytes = max(each_bytes, grown / (size - last))
            self._budget_s -= 2 * LEAST * cost_s  # a turn is at least one call that counts and one that does not
            sizes.append(size)
        share = SHARES[self._role] / len(sizes)
        return [_Batch(self._role, size, Work(share, self._timed(size))) for size in sizes]

    def _refusal(self, cost_s: float, grows: float) -> str:
        if 2 * LEAST * cost_s > self._budget_s:
            return "would take longer than --seconds allows"
        if grows > self._memory().available / 2:
            return "would take more than half of the free memory"
        return ""

    def _tried(self, size: int) -> tuple[float, float]:
        """Seconds of the second call, and bytes that the process grew by."""
        before = self._memory().now
        self._load(size)
        start = self._clock()
        self._load(size)
        return self._clock() - start, max(0.0, self._memory().now - before)

    def _timed(self, size: int) -> Callable[[], Seconds]:
        def call() -> Seconds:
            lap = Lap(self._clock)
            self._load(size)
            lap.note("batch")
            return lap.seconds

        return call


def _stages(walked: Sequence[Seconds]) -> Iterator[Stage]:
    whole = [one | _totals(one) for one in walked]
    for name, per in PER.items():
        if taken := [1000 * one[name] for one in whole if name in one]:
            yield Stage(name, per, spread(taken))


def _totals(one: Seconds) -> Seconds:
    """From frame to template, of a frame with a face."""
    if "recognise" not in one:
        return {}
    everything = sum(one.values())
    if "quality network" not in one:
        return {"total": everything}
    return {"total": everything - one["quality network"], "total with quality network": everything}


def _speed(batch: _Batch) -> Speed:
    return Speed(batch.role, batch.size, spread([batch.size / one["batch"] for one in batch.work.samples]))
