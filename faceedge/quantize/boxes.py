"""What an INT8 detector finds beside what its float source finds on the same photos. Pure.

Boxes match greedily, best score first, each with the free float box that it covers best, at IoU 0.5 or more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from faceedge.errors import BadInput
from faceedge.quantize import intervals
from faceedge.quantize.intervals import Drawing, Interval
from faceedge.types import Face, Floats

Matrix: TypeAlias = NDArray[np.float64]
EYES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "eyes_nose_mouth": ((0,), (1,)),
    "dlib_5": ((2, 3), (0, 1)),
}
"""Landmarks whose mean is the eye at image left and at image right, by scheme (`align.SCHEMES`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """source, build: faces found by each; matched: by both.

    overlaps: IoU of each match. landmark_errors: mean distance of the five points of each match, as a share of the
    float face's eye distance. interval: of F1, by drawing photos.
    """

    photos: int
    source: int
    build: int
    matched: int
    overlaps: Matrix
    landmark_errors: Matrix
    interval: Interval

    @property
    def recall(self) -> float:
        """Share of the float build's faces that INT8 finds; 1 where there were none."""
        return self.matched / self.source if self.source else 1.0

    @property
    def precision(self) -> float:
        """Share of INT8's faces that the float build finds too; 1 where there were none."""
        return self.matched / self.build if self.build else 1.0

    @property
    def f1(self) -> float:
        return _f1(self.matched, self.source, self.build)


def agreement(
    source: Sequence[Sequence[Face]], build: Sequence[Sequence[Face]], scheme: str, iou: float, draw: Drawing
) -> Agreement:
    """Compares the faces found on each photo. scheme: of the landmarks.

    Raises BadInput on an unknown scheme or when the two lists are not of the same photos.
    """
    if scheme not in EYES:
        raise BadInput(f"unknown landmark scheme {scheme!r}; known are {', '.join(EYES)}")
    if len(source) != len(build):
        raise BadInput(f"{len(source)} photos of the float build but {len(build)} of INT8; run both on the same photos")
    found = [(theirs, ours, matches(theirs, ours, iou)) for theirs, ours in zip(source, build, strict=True)]
    counts = np.array([(len(pairs), len(theirs), len(ours)) for theirs, ours, pairs in found], np.int64).reshape(-1, 3)
    together = [(theirs[t], ours[o], overlap) for theirs, ours, pairs in found for t, o, overlap in pairs]
    matched, all_source, all_build = counts.sum(axis=0).tolist()
    return Agreement(
        len(source), all_source, all_build, matched,
        np.array([overlap for *_, overlap in together], np.float64),
        np.array([landmark_error(one, other, scheme) for one, other, _ in together], np.float64),
        _around(counts, draw),
    )  # fmt: skip


def matches(source: Sequence[Face], build: Sequence[Face], iou: float) -> list[tuple[int, int, float]]:
    """(place in source, place in build, IoU) of every match on one photo."""
    if not source or not build:
        return []
    overlaps = overlap(np.array([face.box for face in build]), np.array([face.box for face in source]))
    found = []
    for ours in sorted(range(len(build)), key=lambda at: -build[at].score):
        theirs = int(np.argmax(overlaps[ours]))
        if overlaps[ours, theirs] >= iou:
            found.append((theirs, ours, float(overlaps[ours, theirs])))
            overlaps[:, theirs] = -1
    return found


def overlap(one: Floats, other: Floats) -> Matrix:
    """IoU of boxes (n, 4) with boxes (m, 4), float64 (n, m); 0 where a box is empty or not finite."""
    a, b = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    corner, far = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shared = np.clip(far - corner, 0, None).prod(axis=-1)
        area = sum(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None).prod(axis=-1) for boxes in (a, b))
        ratio = shared / (area - shared)
    return np.where(np.isfinite(ratio), ratio, 0.0)


def landmark_error(source: Face, build: Face, scheme: str) -> float:
    """Mean distance of the five points as a share of the float face's eye distance; 1 where it is not a number."""
    left, right = (source.landmarks[list(points)].mean(axis=0) for points in EYES[scheme])
    eyes = max(float(np.linalg.norm(right - left)), 1.0)
    error = float(np.linalg.norm(build.landmarks - source.landmarks, axis=1).mean()) / eyes
    return error if np.isfinite(error) else 1.0


def _f1(matched: int, source: int, build: int) -> float:
    return 2 * matched / (source + build) if source + build else 1.0


def _around(counts: NDArray[np.int64], draw: Drawing) -> Interval:
    """Interval of F1 by drawing photos; their faces share light and camera, so photos are drawn, not faces."""
    if not counts.sum():
        return 0.0, 1.0
    sums = intervals.draws(len(counts), draw) @ counts
    f1 = [_f1(*row) for row in sums.tolist()]
    return intervals.percentiles(np.array(f1), draw.confidence)
