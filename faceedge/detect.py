"""Frames in, faces out: lay frames on canvases, run the network in batches, read its heads, find landmarks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from faceedge.backends.base import Canvas, Engine, Preprocessor, Tensor
from faceedge.families.base import DetectorFamily
from faceedge.manifest import Normalisation
from faceedge.portions import WHOLE, Portions
from faceedge.types import Face, Floats, Image

log = logging.getLogger(__name__)


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
        portions: Portions = WHOLE,
    ) -> None:
        self._engine = engine
        self._family = family
        self._preprocessor = preprocessor
        self._norm = norm
        self._landmarker = landmarker
        self._input = engine.inputs[0].name
        self._portions = portions
        self._cannot_shrink = False

    @property
    def most(self) -> int:
        """So many frames run at once."""
        return self._portions.most(self._engine)

    def detect(self, images: Sequence[Image], scale: float = 1.0) -> list[list[Face]]:
        """Faces of each image (uint8 BGR) in its px, best score first. scale: side of what the network sees against
        the usual, 0..1; half of it finds faces from twice the size on. Raises EngineError when the network fails."""
        found: list[list[Face]] = [[] for _ in images]
        by_canvas: dict[Canvas, list[int]] = {}
        for index, image in enumerate(images):
            by_canvas.setdefault(self._canvas(image.shape[0], image.shape[1], scale), []).append(index)
        for canvas, members in by_canvas.items():
            run = partial(self._run, canvas=canvas)
            faces = self._portions.run(self._engine, [images[index] for index in members], run)
            for index, seen in zip(members, faces, strict=True):
                found[index] = seen
        return found

    def tidy(self) -> None:
        """For the stage's thread when it has nothing to do: see `Engine.tidy`."""
        self._engine.tidy()
        self._preprocessor.tidy()

    def _canvas(self, height: int, width: int, scale: float) -> Canvas:
        """The usual one, where the network or its engine is bound to that."""
        usual = self._family.canvas(height, width)
        if scale >= 1:
            return usual
        smaller = self._family.canvas(height, width, scale)
        if smaller != usual and self._engine.takes({self._input: (1, 3, smaller.height, smaller.width)}):
            return smaller
        if not self._cannot_shrink:
            self._cannot_shrink = True
            log.warning("the detector runs on %d x %d px only: a smaller picture saves nothing", *_size(usual))
        return usual

    def _run(self, images: Sequence[Image], canvas: Canvas) -> list[list[Face]]:
        handles = [self._preprocessor.upload(image) for image in images]
        outputs = self._engine.infer({self._input: self._preprocessor.letterbox(handles, canvas, self._norm)})
        return [self._faces(image, outputs, row, canvas) for row, image in enumerate(images)]

    def _faces(self, image: Image, outputs: Mapping[str, Tensor], row: int, canvas: Canvas) -> list[Face]:
        seen = self._family.decode(outputs, row, canvas, *image.shape[:2])
        points = seen.landmarks
        if points is None:
            assert self._landmarker is not None, "a family without landmarks is opened with a landmarker"
            points = self._landmarker.locate(image, seen.boxes)
        rows = zip(seen.boxes, seen.scores, points, strict=True)
        return [Face(box, float(score), mark) for box, score, mark in rows]


def _size(canvas: Canvas) -> tuple[int, int]:
    return canvas.width, canvas.height
