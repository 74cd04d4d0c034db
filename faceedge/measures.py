"""What a face and its aligned crop show by plain arithmetic: light, sharpness, pose, size. Pure, a fraction of a
millisecond, and in need of no network. `assess` makes reasons of it, `quality_head` a forecast of the recognition.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from faceedge.types import Face, Floats, Image

SMALL = "too small"
SIDE_PX, EDGE_PX = 112, 22
"""Measured on a crop of this side, without this edge, where hair and background begin."""

NAMES = (
    "light", "dark end", "bright end", "contrast", "deviation", "sharpness", "symmetry", "score", "eye distance",
    "side", "yaw", "roll", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "x5", "y5",
)  # fmt: skip
"""Of `Measures.row`, in order."""

ENOUGH_PX = 150.0
"""A face of this side has all the pixels that a crop can hold: larger is no better."""

_POINTS = {"dlib_5": ((2, 3), (0, 1), 4), "eyes_nose_mouth": ((0,), (1,), 2)}
"""Landmarks of the eye at image left, the eye at image right, and the nose, by scheme (`align.SCHEMES`)."""
_MEANS = {
    scheme: np.array([[(at in eye) / len(eye) for at in range(5)] for eye in (left, right)], np.float32)
    for scheme, (left, right, _) in _POINTS.items()
}


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """One face. light, low, high: mean and ends (5 %, 95 %) of the grey values. side_px: the shorter of the box.
    yaw: see `yaw`. grey: uint8 (112, 112). row: float32, all numbers of `NAMES`."""

    light: float
    low: float
    high: float
    sharpness: float
    side_px: float
    yaw: float
    grey: Image
    row: Floats


def measure(face: Face, crop: Image, scheme: str) -> Measures:
    """face: detected; crop: uint8 BGR, aligned; scheme: of the face's landmarks."""
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    if grey.shape[0] != SIDE_PX:
        grey = np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    heart = np.ascontiguousarray(grey[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX])
    mean, deviation = _spread(heart)
    low, high = _ends(heart)
    found, side_px = sharpness(heart), float(min(face.width_px, face.height_px))
    marks, eye_px, roll = _seen_from_the_eyes(face.landmarks, scheme)
    turned = _turn(marks[_POINTS[scheme][2], 0])
    asymmetry = float(cv2.norm(heart, np.asarray(cv2.flip(heart, 1), np.uint8), cv2.NORM_L1)) / heart.size
    numbers = (
        mean, low, high, high - low, np.log1p(deviation), found, asymmetry / max(deviation, 8.0), face.score,
        np.log(np.clip(eye_px, 1, ENOUGH_PX / 2.5)), np.log(np.clip(side_px, 1, ENOUGH_PX)),
        turned, roll, *marks.ravel(),
    )  # fmt: skip
    row = np.nan_to_num(np.array(numbers, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return Measures(mean, low, high, found, side_px, turned, grey, row)


def sharpness(grey: Image) -> float:
    """Share of the contrast in details of about 1.5 px on a crop of 112 px, across the worse direction.

    0 is none, 0.09 the median of sharp photos. The band between two Gaussians, not a Laplacian: sensor noise lies
    above it and does not pass for detail. Each direction by itself: motion blurs only one.
    """
    shown = grey.astype(np.float32)
    soft = cv2.GaussianBlur(shown, (0, 0), 1.0)
    details = min(_spread(soft - cv2.GaussianBlur(shown, (13, 13), x, sigmaY=y))[1] for x, y in ((2, 1), (1, 2)))
    return details / max(_spread(shown)[1], 8.0)


def yaw(face: Face, scheme: str) -> float:
    """How far the nose lies off the middle of the eyes, along the line of the eyes: 0 frontal, 1 under an eye."""
    return _turn(_seen_from_the_eyes(face.landmarks, scheme)[0][_POINTS[scheme][2], 0])


def _spread(grey: Image | Floats) -> tuple[float, float]:
    """Mean and standard deviation; several times as fast as numpy's."""
    mean, deviation = cv2.meanStdDev(grey)
    return float(mean[0, 0]), float(deviation[0, 0])


def _ends(grey: Image) -> tuple[float, float]:
    """`np.percentile(grey, (5, 95))`, from its histogram: several times as fast."""
    until = np.cumsum(np.bincount(grey.ravel(), minlength=256))
    found = []
    for share in (0.05, 0.95):
        place = share * (grey.size - 1)
        below, above = np.searchsorted(until, (int(place), int(place) + 1), side="right")
        found.append(float(below + (above - below) * (place - int(place))))
    return found[0], found[1]


def _turn(nose_x: float) -> float:
    return min(1.0, 2 * abs(float(nose_x)))


def _seen_from_the_eyes(landmarks: Floats, scheme: str) -> tuple[Floats, float, float]:
    """Landmarks (5, 2) from the middle of the eyes, along and across their line, in eye distances; the eye distance
    in px; roll in radians, without its sign."""
    left, right = _MEANS[scheme] @ np.asarray(landmarks, np.float32)
    line = right - left
    long = max(float(line @ line), 1e-6)
    turned = np.array([[line[0], -line[1]], [line[1], line[0]]], np.float32) / np.float32(long)
    marks = (landmarks - (left + right) / 2) @ turned
    return np.clip(marks, -9, 9).astype(np.float32), long**0.5, abs(float(np.arctan2(line[1], line[0])))
