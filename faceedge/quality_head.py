"""A recogniser's answer in, what it says of the picture out: quality 0..1 and, where it can tell, why it is poor. Pure.

Either a number of the recogniser's own (its norm, a temperature), or a small network fitted to it by `faceedge
calibrate quality`, which costs a matrix product of a few thousand numbers a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from faceedge.fit import LightHead, RecogniserQuality
from faceedge.measures import NAMES
from faceedge.types import Floats, Image, Template

COVERED, NO_FACE = "covered", "not a face"
OUTPUTS = ("goes well", "is covered", "is a face")
"""Logits of a head, in order."""
THUMB_PX = 16
FEATURES = len(NAMES) + THUMB_PX * THUMB_PX
NO_FACE_QUALITY = 0.2
"""What is no face gets at most this."""
_FAR = 4.0
"""Measures count up to so many deviations from their mean."""
_MEASURED, _THUMB_MIDDLE, _THUMB = 1.3 / len(NAMES) ** 0.5, 127.5, 1 / 512
"""Factors that bring the groups of inputs to about the same length; the third, of an embedding, is its own."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """quality 0..1; raw: on the source's own scale; reason: in words, empty where it can name none."""

    quality: float
    raw: float
    reason: str = ""


def features(row: Floats, grey: Image) -> Floats:
    """float32 (FEATURES,): the measures (`measures.NAMES`), and a thumbnail of the crop (uint8, grey)."""
    small = cv2.resize(grey, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
    return np.concatenate([row, small.ravel()], dtype=np.float32)


def inputs(seen: Floats, norms: Floats, embeddings: Floats, means: Floats, scales: Floats) -> Floats:
    """float32 (n, FEATURES + 1 + d). seen: (n, FEATURES); norms: (n,); embeddings: (n, d) of length 1; means, scales:
    of the measures and the norm's logarithm. Each group is brought to about the same length."""
    count, dimension = len(NAMES), embeddings.shape[1]
    rows = np.empty((len(seen), sum(groups(dimension))), np.float32)
    measured, thumbs = rows[:, : count + 1], rows[:, count + 1 : -dimension]
    measured[:, :count] = seen[:, :count]
    measured[:, count] = np.log(np.maximum(norms, 1e-6))
    measured -= means
    measured /= scales
    np.clip(measured, -_FAR, _FAR, out=measured)
    measured *= np.float32(_MEASURED)
    np.subtract(seen[:, count:], np.float32(_THUMB_MIDDLE), out=thumbs)
    thumbs *= np.float32(_THUMB)
    np.multiply(embeddings, np.float32(_own(dimension)), out=rows[:, -dimension:])
    return rows


def _own(dimension: int) -> float:
    return float(dimension**0.5 / 6)


def groups(dimension: int) -> tuple[int, int, int]:
    """How many inputs belong to measures, thumbnail and embedding."""
    return len(NAMES) + 1, THUMB_PX * THUMB_PX, dimension


class Head:
    """A `LightHead`, ready to be asked. Raises ValueError when its weights are of another size than its inputs."""

    def __init__(self, head: LightHead) -> None:
        parts = groups(head.dimension)
        table = np.frombuffer(head.table, np.int8).astype(np.float32).reshape(-1, head.units)
        if len(table) != sum(parts) or len(head.means) != parts[0]:
            raise ValueError(f"the quality head has {len(table)} inputs instead of {sum(parts)}; fit it anew")
        weights: Floats = table * np.repeat(np.array(head.steps, np.float32), parts, axis=0)
        self._count = parts[0] - 1
        self._gain = np.float32(_MEASURED) / np.array(head.scales, np.float32)
        self._shift = -self._gain * np.array(head.means, np.float32)
        self._measured, thumb, own = np.split(weights, np.cumsum(parts)[:-1])
        self._thumb, self._own = thumb * np.float32(_THUMB), own * np.float32(_own(head.dimension))
        self._bias = np.array(head.bias, np.float32) - np.float32(_THUMB_MIDDLE) * self._thumb.sum(0)
        self._out: Floats = np.ascontiguousarray(np.array(head.out, np.float32).T)
        self._out_bias = np.array(head.out_bias, np.float32)

    def logits(self, seen: Floats, norms: Floats, embeddings: Floats) -> Floats:
        """float32 (n, 3), see `OUTPUTS`: as from `inputs`, whose factors the weights have taken in to save time."""
        measured = np.empty((len(seen), self._count + 1), np.float32)
        measured[:, : self._count] = seen[:, : self._count]
        measured[:, self._count] = np.log(np.maximum(norms, 1e-6))
        measured *= self._gain
        measured += self._shift
        np.minimum(measured, _FAR * _MEASURED, out=measured)
        np.maximum(measured, -_FAR * _MEASURED, out=measured)
        hidden = measured @ self._measured
        hidden += seen[:, self._count :] @ self._thumb
        hidden += embeddings @ self._own
        hidden += self._bias
        return np.asarray(np.tanh(hidden) @ self._out + self._out_bias, np.float32)


class Source:
    """Where a recogniser's quality comes from; raises ValueError as `Head` does."""

    def __init__(self, fit: RecogniserQuality) -> None:
        self.name = fit.output
        self._scale = fit.scale
        self._limits = fit.head
        self._head = Head(fit.head) if fit.head is not None else None

    def forecast(self, seen: Floats | None, template: Template) -> Forecast:
        """Of one face: its features and its template. What was not measured, or not answered, is worth nothing."""
        if self._head is None or self._limits is None:
            raw = template.norm if self.name == "norm" else template.aux.get(self.name, float("nan"))
            return Forecast(self._scale.quality(raw), raw)
        if seen is None:
            return Forecast(0.0, float("nan"))
        answer: Any = self._head.logits(seen[None], np.array([template.norm], np.float32), template.embedding[None])
        well, covered, face = (float(logit) for logit in answer[0])
        quality = self._scale.quality(well)
        if not face >= self._limits.face:
            return Forecast(min(quality, NO_FACE_QUALITY), well, NO_FACE)
        return Forecast(quality, well, COVERED if covered >= self._limits.covered else "")
