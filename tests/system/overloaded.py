"""Four cameras at 25 pictures a second before a machine that is as slow as one says: real stages, made-up networks."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from types import SimpleNamespace, TracebackType
from typing import Any, cast

import numpy as np

from faceedge.config import Decide
from faceedge.deadlines import Deadlines
from faceedge.decide import DEADLINE_S, PARTING, Judge
from faceedge.fit import Thresholds
from faceedge.pipeline import Pipeline
from faceedge.publish import Publisher
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import RecogniseStage
from faceedge.types import Assessment, Face, Frame, Image, Match, Template

CAMERAS = ("entry", "yard", "gate", "hall")
RATE = 25
PICTURE = (480, 640, 3)
"""0.9 MB: a queue that grows is seen in memory within a second."""
FACE_PX = 100
TEMPLATE = Template(np.eye(4, dtype=np.float32)[0], 1.0, "space")


class Hall:
    """Use it in a `with` block. detect_s: of one picture, recognise_s: of one face, stall_s: once, beside that, of the
    next batch of faces; all may be changed meanwhile.

    crowd: faces before each camera, all of one known person, who stand still.
    """

    def __init__(self, detect_s: float, recognise_s: float, *, crowd: int = 2) -> None:
        self.detect_s, self.recognise_s, self.stall_s = detect_s, recognise_s, 0.0
        self.made: Counter[str] = Counter()
        self.detected: Counter[str] = Counter()
        self.told: list[dict[str, Any]] = []
        self._faces = [_face(number) for number in range(crowd)]
        self.deadlines = Deadlines(("detect", "recognise"), DEADLINE_S)
        vision = cast(Any, SimpleNamespace(
            detector=SimpleNamespace(detect=self._detect), tidy_detection=lambda: None,
            recognizer=SimpleNamespace(embed=self._embed, tidy=lambda: None),
            crops=self._crops, assess=lambda image, faces, crops: [Assessment(0.9) for _ in faces],
            settled=lambda before, _: list(before),
        ))  # fmt: skip
        judge = Judge(Decide(cooldown_s=0), Thresholds(grey=0.5, match=0.6, strict=0.7), lambda a, b: 1.0)
        publisher = Publisher(None, {}, self.told.append, lambda *_: None)
        identifier = cast(Any, SimpleNamespace(identify=lambda template: Match("anna", 0.9, 0.3)))
        recognise = RecogniseStage(
            vision, identifier, judge, publisher, time.monotonic, is_late=partial(self._is_late, "recognise")
        )
        self.pipeline = Pipeline(
            {camera: partial(self._film, camera) for camera in CAMERAS},
            DetectStage(vision, lambda _: None, partial(self._is_late, "crops")), recognise, recognise.finish,
            deadlines=self.deadlines,
        )  # fmt: skip

    def __enter__(self) -> Hall:
        self.pipeline.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.pipeline.stop() == []

    def decisions(self) -> list[dict[str, Any]]:
        """Those that were good for something. What is said of who has left is late by nature, and a grant that was too
        late at the very end was dropped."""
        made = [event for event in self.told if event["event"] == "decision" and event["reason"] not in PARTING]
        return [event for event in made if event["verdict"] != "lost"]

    def _is_late(self, place: Any, captured: float) -> bool:
        return self.deadlines.is_late(place, captured, time.monotonic())

    def _film(self, camera: str, stop: threading.Event) -> Iterator[Frame]:
        due, seq = time.monotonic(), 0
        while not stop.wait(max(0.0, due - time.monotonic())):
            picture = np.full(PICTURE, seq % 251, np.uint8)
            picture[0, 0] = (CAMERAS.index(camera), seq % 256, seq // 256)
            self.made[camera] += 1
            yield Frame(camera, seq, picture, time.monotonic())
            seq, due = seq + 1, due + 1 / RATE

    def _detect(self, images: Sequence[Image], _scale: float) -> list[list[Face]]:
        time.sleep(self.detect_s * len(images))
        self.detected.update(CAMERAS[image[0, 0, 0]] for image in images)
        return [self._faces for _ in images]

    def _crops(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        return [np.full((150, 150, 3), image[0, 0], np.uint8) for _ in faces]

    def _embed(self, crops: Sequence[Image]) -> list[Template]:
        stall_s, self.stall_s = self.stall_s, 0.0
        time.sleep(self.recognise_s * len(crops) + stall_s)
        return [TEMPLATE for _ in crops]


def _face(number: int) -> Face:
    left = number * (FACE_PX + 20)
    return Face(np.array([left, 0, left + FACE_PX, FACE_PX], np.float32), 1.0, np.zeros((5, 2), np.float32))
