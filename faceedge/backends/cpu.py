"""Preprocessing on the host with OpenCV: handles are the images themselves."""

from __future__ import annotations

import itertools
import math
import mmap
import threading
from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import Canvas, CropSpec, Level
from faceedge.backends.chips import pyramid_chip
from faceedge.errors import BadInput
from faceedge.manifest import Normalisation
from faceedge.types import Floats, Image

_BILINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class _Own(threading.local):
    """Memory that a thread keeps from call to call: to fetch pages anew costs more than to compute what fills them."""

    def __init__(self) -> None:
        self.trims = 0
        self.empty()

    def empty(self) -> None:
        """Keeps nothing any more; what is still referenced lives on."""
        self.laid: tuple[Canvas, Normalisation] | None = None
        self.tensor = np.zeros(0, np.float32)
        self._scratch: dict[str, Image] = {}

    def scratch(self, use: str, shape: tuple[int, ...]) -> Image:
        """uint8 of any content, valid until the same use asks again; the memory of the largest is kept."""
        needed = math.prod(shape)
        held = self._scratch.get(use)
        if held is None or held.size < needed:
            held = self._scratch[use] = np.empty(needed, np.uint8)
        return held[:needed].reshape(shape)


class CpuPreprocessor:
    """See `Preprocessor`. `letterbox` reuses its memory: a result is valid until the thread's next call."""

    def __init__(self) -> None:
        self._own = _Own()
        self._trims = 0

    def upload(self, image: Image) -> object:
        """The image itself. Raises BadInput when it is not uint8 (h, w, 3)."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise BadInput(f"an image must be uint8 height x width x 3, got {image.dtype} {image.shape}")
        return image

    def letterbox(self, handles: Sequence[object], canvas: Canvas, norm: Normalisation) -> Floats:
        """See `Preprocessor.letterbox`."""
        images = [cast(Image, handle) for handle in handles]
        tensor = self._canvases(len(images), canvas, norm)
        for image, planes in zip(images, tensor, strict=True):
            if canvas.corner_aligned:
                self._lay_pyramid(image, planes, canvas.levels, norm)
            else:
                self._lay_copies(image, planes, canvas.levels, norm)
        self.tidy()  # not before: this batch may have been cut just before the trim
        return tensor

    def warp(self, handle: object, matrices: Floats, spec: CropSpec) -> list[Image]:
        """See `Preprocessor.warp`. What lies outside the frame is black."""
        image = cast(Image, handle)
        size = (spec.width, spec.height)
        if spec.pyramid:
            return [pyramid_chip(image, matrix, *size) for matrix in matrices]
        return [cast(Image, cv2.warpAffine(image, matrix, size, flags=_BILINEAR)) for matrix in matrices]

    def tensor(self, crops: Sequence[Image], norm: Normalisation) -> Floats:
        """See `Preprocessor.tensor`."""
        if not crops or len({crop.shape for crop in crops}) != 1:
            raise BadInput("a batch of crops needs at least one, and all of one size")
        height, width, _ = crops[0].shape
        tensor = np.empty((len(crops), 3, height, width), np.float32)
        for crop, planes in zip(crops, tensor, strict=True):
            self._normalise(crop, planes, norm)
        self.tidy()  # not before: this batch may have been cut just before the trim
        return tensor

    def trim(self) -> None:
        """See `Preprocessor.trim`."""
        self._trims += 1

    def tidy(self) -> None:
        """See `Preprocessor.tidy`."""
        if self._own.trims != self._trims:
            self._own.trims = self._trims
            self._own.empty()

    def _canvases(self, count: int, canvas: Canvas, norm: Normalisation) -> Floats:
        """An empty tensor, black or (corner-aligned, as dlib has it) of the mean colour between the levels: that of the
        largest batch so far serves the smaller ones."""
        wanted = (canvas, norm)
        if self._own.laid != wanted or len(self._own.tensor) < count:
            self._own.tensor = _pages(count, 3, canvas.height, canvas.width)
            if not canvas.corner_aligned:
                mean, scale = (np.array(numbers, np.float32) for numbers in (norm.mean, norm.scales))
                self._own.tensor[:] = ((0 - mean) * scale)[:, None, None]
            self._own.laid = wanted
        return self._own.tensor[:count]

    def _lay_copies(self, image: Image, planes: Floats, levels: Sequence[Level], norm: Normalisation) -> None:
        copy = image
        for number, level in enumerate(levels):
            if copy.shape[:2] != (level.height, level.width):
                small = self._own.scratch(f"level {number}", (level.height, level.width, 3))
                copy = cast(Image, cv2.resize(copy, (level.width, level.height), small, interpolation=cv2.INTER_LINEAR))
            self._normalise(copy, _view(planes, level), norm)

    def _lay_pyramid(self, image: Image, planes: Floats, levels: Sequence[Level], norm: Normalisation) -> None:
        """Every level from the one before, in float32: rounding to bytes between levels would move faint peaks."""
        first = levels[0]
        if image.shape[:2] != (first.height, first.width):
            image = cast(Image, cv2.resize(image, (first.width, first.height), interpolation=cv2.INTER_AREA))
        self._normalise(image, _view(planes, first), norm)
        for above, level in itertools.pairwise(levels):
            matrix = np.array([[_step(above.width, level.width), 0, 0], [0, _step(above.height, level.height), 0]])
            for source, target in zip(_view(planes, above), _view(planes, level), strict=True):
                _shrink(source, target, matrix)

    def _normalise(self, image: Image, planes: Floats, norm: Normalisation) -> None:
        split = self._own.scratch("planes", (3, *image.shape[:2]))
        cv2.split(image, list(split))
        ordered = split if norm.colour == "bgr" else split[::-1]
        for plane, mean, scale, out in zip(ordered, norm.mean, norm.scales, planes, strict=True):
            if mean != 0:
                np.subtract(plane, np.float32(mean), out=out)
            else:
                np.copyto(out, plane)
            if scale != 1:
                np.multiply(out, np.float32(scale), out=out)


def _pages(*shape: int) -> Floats:
    """Zeros in memory of their own, which goes back to the system with the last reference: the C library would keep
    it for later."""
    return np.frombuffer(mmap.mmap(-1, 4 * math.prod(shape)), np.float32).reshape(shape)


def _shrink(source: Floats, target: Floats, matrix: NDArray[np.float64]) -> None:
    size = target.shape[::-1]
    cv2.warpAffine(source, matrix, size, dst=target, flags=_BILINEAR, borderMode=cv2.BORDER_REPLICATE)


def _step(side_in: int, side_out: int) -> float:
    return (side_in - 1) / max(side_out - 1, 1)


def _view(planes: Floats, level: Level) -> Floats:
    return planes[:, level.y : level.y + level.height, level.x : level.x + level.width]
