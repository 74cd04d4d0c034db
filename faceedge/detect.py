"""Frames in, faces out: lay frames on canvases, run the network in batches, read its heads, find landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from faceedge.backends.base import Canvas, Engine, Preprocessor
from faceedge.families.base import DetectorFamily
from faceedge.manifest import Normalisation
from faceedge.types import Face, Floats, Image


class Landmarker(Protocol):
    """Finds five points in boxes, for detectors that give boxes only."""

    def locate(self, image: Image, boxes: Floats) -> Floats:
        """float32 (n, 5, 2) px for boxes (n, 4) of a uint8 BGR image."""
        ...


class Detector:
    """One detector network with the family that reads it. One thread at a time."""

    def __init__(
        self,
        engine: Engine,
        family: DetectorFamily,
        preprocessor: Preprocessor,
        norm: Normalisation,
        landmarker: Landmarker | None = None,
    ) -> None:
        self._engine = engine
        self._family = family
        self._preprocessor = preprocessor
        self._norm = norm
        self._landmarker = landmarker
        self._input = engine.inputs[0].name

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """Faces of each image (uint8 BGR), best score first. Raises EngineError when the network fails."""
        found: list[list[Face]] = [[] for _ in images]
        by_canvas: dict[Canvas, list[int]] = {}
        for index, image in enumerate(images):
            by_canvas.setdefault(self._family.canvas(*image.shape[:2]), []).append(index)
        for canvas, members in by_canvas.items():
            for start in range(0, len(members), self._engine.max_batch):
                self._run(images, members[start : start + self._engine.max_batch], canvas, found)
        return found

    def _run(self, images: Sequence[Image], members: list[int], canvas: Canvas, found: list[list[Face]]) -> None:
        handles = [self._preprocessor.upload(images[index]) for index in members]
        outputs = self._engine.infer({self._input: self._preprocessor.letterbox(handles, canvas, self._norm)})
        for row, index in enumerate(members):
            height, width = images[index].shape[:2]
            seen = self._family.decode(outputs, row, canvas, height, width)
            points = seen.landmarks
            if points is None:
                assert self._landmarker is not None, "a family without landmarks is opened with a landmarker"
                points = self._landmarker.locate(images[index], seen.boxes)
            found[index] = [
                Face(box, float(score), mark) for box, score, mark in zip(seen.boxes, seen.scores, points, strict=True)
            ]
