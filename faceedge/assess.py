"""How far can a face image be trusted: 0..1 from plain image features, and the reasons in words. Pure.

Each feature is mapped to 0..1 by a ramp and the weakest one is the quality, so that a single bad
property is enough to distrust a picture and names itself as the reason. The ramps are design choices
of this version, not fitted ones. A quality network, where there is one, can only lower the quality; its head is in its
own `fit.toml`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from faceedge.types import Assessment, Face, Image

GOOD_ENOUGH = 0.6
"""Below this a feature is named as a reason (design: Numbers that decide)."""

UNCLEAR = "covered or unclear"
"""The reason when a quality network trusts the face less than any plain feature does."""

SIDE_PX, EDGE_PX = 112, 22
"""Features are taken on a crop of this side, without this edge, where hair and background begin."""

_POINTS = {"dlib_5": ((2, 3), (0, 1), 4), "eyes_nose_mouth": ((0,), (1,), 2)}
"""Landmarks of the eye at image left, the eye at image right, and the nose, by scheme (`align.SCHEMES`)."""


def assess(face: Face, crop: Image, scheme: str) -> Assessment:
    """Quality of a detected face and its aligned crop (uint8 BGR). scheme: of the face's landmarks."""
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    if grey.shape[0] != SIDE_PX:
        grey = np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    heart = grey[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    light = float(heart.mean())
    low, high = np.percentile(heart, (5, 95))
    features = {
        "too small": _ramp(min(face.width_px, face.height_px), 20, 76),
        "too dark": _ramp(light, 18, 62),
        "over-exposed": _ramp(255 - light, 15, 55),
        "low contrast": _ramp(float(high - low), 10, 48),
        "blurred": _ramp(sharpness(heart), 0.02, 0.065),
        "turned away": _ramp(1 - yaw(face, scheme), 0.15, 0.6),
    }
    quality = min(features.values())
    reasons = sorted((value, name) for name, value in features.items() if value < GOOD_ENOUGH)
    return Assessment(quality, tuple(name for _, name in reasons))


def lowered(plain: Assessment, raw: float, network: float) -> Assessment:
    """The lower of the plain features and a quality network, its reason first when it is poor.

    raw: what the network said; network: the same as quality 0..1.
    """
    said = raw if math.isfinite(raw) else None
    if network >= plain.quality:
        return Assessment(plain.quality, plain.reasons, said)
    return Assessment(network, (UNCLEAR, *plain.reasons) if network < GOOD_ENOUGH else plain.reasons, said)


def sharpness(grey: Image) -> float:
    """Share of the contrast in details of about 1.5 px on a crop of 112 px, across the worse direction.

    0 is none, 0.09 the median of sharp photos. The band between two Gaussians, not a Laplacian: sensor noise lies
    above it and does not pass for detail. Each direction by itself: motion blurs only one.
    """
    shown = grey.astype(np.float32)
    soft = cv2.GaussianBlur(shown, (0, 0), 1.0)
    details = min(float((soft - cv2.GaussianBlur(shown, (13, 13), x, sigmaY=y)).std()) for x, y in ((2, 1), (1, 2)))
    return details / max(float(shown.std()), 8.0)


def yaw(face: Face, scheme: str) -> float:
    """How far the nose lies off the middle of the eyes, along the line of the eyes: 0 frontal, 1 under an eye."""
    left, right, nose = _POINTS[scheme]
    eyes = [face.landmarks[list(points)].mean(axis=0) for points in (left, right)]
    line = eyes[1] - eyes[0]
    off = (face.landmarks[nose] - (eyes[0] + eyes[1]) / 2) @ line
    return min(1.0, 2 * abs(float(off)) / max(float(line @ line), 1e-6))


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
