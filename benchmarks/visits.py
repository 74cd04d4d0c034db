"""People who come to a door and go, and the real daemon that looks at them: what it decided against who was there.

Films are rendered of real photos. In a corner of every picture stands as a grey level whose visit it shows, out of the
detector's sight: so truth needs no clock, whichever pictures are passed over.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from benchmarks.scenes import SIZE, Sitter, background, put
from faceedge.backends.base import Engine
from faceedge.config import Config, EngineSettings, Models, cache_dir
from faceedge.daemon import Daemon
from faceedge.decide import PARTING
from faceedge.errors import BadInput
from faceedge.gallery.store import Gallery
from faceedge.jobs.enroll import Wish, enroll
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.swap import Order
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.models.active import Standing, stand
from faceedge.seams import Seams, Stage
from faceedge.types import Frame, Image

FPS = 25
STAYS, AWAY = 55, 25
"""Pictures of a visit, and between two: people stand before the door for a good two seconds."""
FACE_PX = 120
POSES, GRAINS = 5, 11
"""Of a face, and of the noise over it: no picture of a visit comes twice, and rendering takes its time."""
GREY, MARK_PX = 12, 12
"""Levels between two numbers, which a codec does not blur; side of the mark."""
NOBODY = 0
STARTS_WITHIN_S, ENDS_WITHIN_S, SWAPS_WITHIN_S = 60.0, 30.0, 120.0
LOOK_S, LAST_S = 0.01, 1.0
KEPT = ("camera", "track", "seq", "outcome", "reason", "person", "verdict", "latency_ms")
"""Of a decision: the memory of the process is measured, and what is noted here is part of it."""


@dataclass(frozen=True)
class Cast:
    """Who comes, in order; of each one photo that is shown. known: person -> id, of those who are enrolled."""

    sitters: Sequence[Sitter]
    known: Mapping[str, str]

    def number(self, sitter: Sitter) -> int:
        """Under which the visit is marked in a film; 0 is nobody."""
        return 1 + self.sitters.index(sitter)

    def id_of(self, number: int) -> str | None:
        """Of who is shown; None for strangers and nobody."""
        return self.known.get(self.sitters[number - 1].person) if number else None


def enrolled(
    people: Mapping[str, Sequence[Sitter]], state: Path, models: Models, count: int, strangers: int
) -> Cast:  # fmt: skip
    """Enrols so many of whom the detector sees enough, each from all photos but the first, which is shown."""
    known: dict[str, str] = {}
    shown: list[Sitter] = []
    with (
        Gallery.open(state) as gallery,
        open_vision(models, EngineSettings(backend="onnx"), state, cache_dir()) as vision,
    ):
        for person, photos in sorted(people.items()):
            if not _is_shown_well(vision, photos[0]):
                continue
            if len(known) == count:
                shown.append(photos[0])
            else:
                try:
                    made = enroll(gallery, vision, Wish(person, tuple(photo.path for photo in photos[1:4])))
                except BadInput:  # a photo that is not good enough
                    continue
                known[person] = made.person.id
                shown.append(photos[0])
            if len(shown) == count + strangers:
                return Cast(shown, known)
    raise SystemExit(f"only {len(shown)} of {count + strangers} people can be shown")


def film(path: Path, cast: Cast, first: int, seed: int) -> Path:
    """Everybody once, beginning with the one of this number; starts over where it ends."""
    rng = np.random.default_rng(seed)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    for at in range(len(cast.sitters)):
        sitter = cast.sitters[(first + at) % len(cast.sitters)]
        for image in _visit(sitter, cast.number(sitter), rng):
            writer.write(image)
    writer.release()
    return path


def _visit(sitter: Sitter, number: int, rng: np.random.Generator) -> Iterator[Image]:
    scenery, photo = background(rng), np.asarray(cv2.imread(str(sitter.path)), np.uint8)
    middle = np.array([SIZE[0] * rng.uniform(0.35, 0.65), SIZE[1] * rng.uniform(0.4, 0.6)])
    for _ in range(AWAY):
        yield _marked(scenery, NOBODY)
    poses = [put(scenery, photo, sitter.box, middle + rng.normal(0, 1.0, 2), FACE_PX) for _ in range(POSES)]
    grain = [rng.integers(-3, 4, scenery.shape, np.int8) for _ in range(GRAINS)]
    for picture in range(STAYS):
        image = np.clip(poses[picture % POSES] + grain[picture % GRAINS].astype(np.int16), 0, 255)
        yield _marked(image.astype(np.uint8), number)


def _marked(image: Image, number: int) -> Image:
    image = image.copy()
    image[:MARK_PX, :MARK_PX] = GREY * number
    return image


def read_mark(image: Image) -> int:
    """The number in the corner."""
    return round(float(image[2 : MARK_PX - 2, 2 : MARK_PX - 2].mean()) / GREY)


def _is_shown_well(vision: Vision, sitter: Sitter) -> bool:
    """Whether the face that a film will show is known again in the photos that are enrolled."""
    rng = np.random.default_rng(0)
    photo = np.asarray(cv2.imread(str(sitter.path)), np.uint8)
    found = vision.portraits(put(background(rng), photo, sitter.box, (SIZE[0] / 2, SIZE[1] / 2), FACE_PX))
    return len(found) == 1


@dataclass(frozen=True)
class Visit:
    """Of somebody who is enrolled: from the first picture to the last that was worked on, monotonic s. granted: when
    the door was opened for them; None when it was not."""

    camera: str
    start: float
    end: float
    number: int
    granted: float | None


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision. at: monotonic s when it was told. shown: number of who was to be seen in its picture."""

    at: float
    event: Mapping[str, Any]
    shown: int


@dataclass(frozen=True, slots=True)
class Picture:
    """That the detector was given. at: when, monotonic s. mark: who is to be seen."""

    at: float
    seq: int
    mark: int


@dataclass
class Seen:
    """Everything of one run. tracks: when each began, monotonic s. passed: pictures of each camera, in order."""

    decided: list[Decided] = field(default_factory=list)
    tracks: dict[tuple[str, int], float] = field(default_factory=dict)
    passed: dict[str, list[Picture]] = field(default_factory=lambda: defaultdict(list))

    def latencies(self, spans: Sequence[tuple[float, float]]) -> list[float]:
        """ms from picture to decision, of those that were told within and say something of who is still there."""
        return [
            one.event["latency_ms"] for one in self.decided
            if one.event["reason"] not in PARTING and any(start <= one.at < end for start, end in spans)
        ]  # fmt: skip

    def wrong(self, cast: Cast) -> list[Decided]:
        """Grants for somebody who was not to be seen."""
        return [
            one
            for one in self.decided
            if one.event["outcome"] == "grant" and one.event["person"] != cast.id_of(one.shown)
        ]

    def undecided(self) -> dict[tuple[str, int], float]:
        """Tracks of which nothing was ever said, and when they began; but for those of the very end, whose pictures
        may not have come as far as the recogniser."""
        decided = {(one.event["camera"], one.event["track"]) for one in self.decided}
        last = max(picture.at for pictures in self.passed.values() for picture in pictures)
        return {track: at for track, at in self.tracks.items() if track not in decided and at < last - LAST_S}

    def visits(self, cast: Cast) -> list[Visit]:
        """All that were seen whole."""
        return [
            Visit(camera, run[0].at, run[-1].at, run[0].mark, self._granted(camera, run, cast.id_of(run[0].mark)))
            for camera, pictures in self.passed.items()
            for run in _whole_runs(pictures)
            if cast.id_of(run[0].mark) is not None
        ]

    def _granted(self, camera: str, run: Sequence[Picture], person: str | None) -> float | None:
        told = (
            one.at for one in self.decided
            if one.event["camera"] == camera and run[0].seq <= one.event["seq"] <= run[-1].seq
            and (one.event["outcome"], one.event["person"]) == ("grant", person)
        )  # fmt: skip
        return next(told, None)


def _whole_runs(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """Stretches of one mark with others before and after."""
    runs = [list(run) for _, run in groupby(pictures, key=lambda picture: picture.mark)]
    return runs[1:-1]


class Door:
    """The daemon on such films, without a broker; use it in a `with` block. around: gives what is used in place of an
    engine that is opened, by role."""

    def __init__(
        self, state: Path, films: Sequence[Path], models: Models,
        around: Callable[[str, Engine], Engine] = lambda _role, engine: engine, backend: str = "onnx",
    ) -> None:  # fmt: skip
        self.seen = Seen()
        self.builds: list[tuple[float, Mapping[str, Any]]] = []
        """What was told of engines, and when."""
        self._marks: dict[tuple[str, int], int] = {}
        self._ready = threading.Event()
        cameras = [{"name": path.stem, "uri": f"file:{path}", "loop": True} for path in films]
        config = Config.model_validate({
            "camera": cameras, "models": models.model_dump(), "engine": {"backend": backend},
            "decide": {"cooldown_s": 0, "motion": False},
        })  # fmt: skip
        seams = Seams(stage=self._watched, engine=around)
        self._daemon = Daemon(config, state, cache_dir(), self._tell, seams=seams)
        self._thread = threading.Thread(target=self._daemon.run, name="door")

    def __enter__(self) -> Door:
        self._thread.start()
        if not self._ready.wait(STARTS_WITHIN_S):
            raise SystemExit("the door does not come up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.stop()
        self._thread.join(ENDS_WITHIN_S)
        assert not self._thread.is_alive(), "the door does not end"

    def serving(self) -> Vision:
        """The networks that decide now."""
        return self._daemon._house.vision

    def ordered(self, order: Order) -> tuple[str, tuple[float, float]]:
        """Other networks, as by command: why not, or nothing, and from when to when, monotonic s."""
        swapper, start = self._daemon._house.swapper, time.monotonic()
        mine = swapper.submit(order)
        while not ((now := swapper.as_json()) and now["id"] == mine and now["done"]):
            if time.monotonic() > start + SWAPS_WITHIN_S:
                raise SystemExit(f"{order}: does not end")
            time.sleep(LOOK_S)
        return "" if now["ok"] else now["why"], (start, time.monotonic())

    def counters(self) -> dict[str, int]:
        """Of the pipeline."""
        return dict(self._daemon._house.report.counters())

    def _watched(self, name: str, stage: Stage) -> Stage:
        if name != "detect":
            return stage

        def detect(frames: Sequence[Frame]) -> list[Any]:
            now = time.monotonic()
            for frame in frames:
                mark = read_mark(frame.image)
                self._marks[frame.camera, frame.seq] = mark
                self.seen.passed[frame.camera].append(Picture(now, frame.seq, mark))
            return stage(frames)

        return detect

    def _tell(self, event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            self._ready.set()
        elif event["event"] == "engine":
            self.builds.append((time.monotonic(), event))
        elif event["event"] == "track":
            self.seen.tracks[event["camera"], event["track"]] = time.monotonic()
        elif event["event"] == "decision":
            shown = self._marks.get((event["camera"], event["seq"]), NOBODY)
            self.seen.decided.append(Decided(time.monotonic(), {key: event[key] for key in KEPT}, shown))


def choose_first(state: Path, labels: Mapping[Role, str]) -> None:
    """What serves at the start, as somebody would have activated it."""
    for role, label in labels.items():
        stand(role, Standing(active=label), state)
