"""Five landmarks in, similarity transforms out: where a recogniser's crop lies in the frame. Pure.

A recogniser names its alignment, a detector its landmark scheme. Each alignment has a template, the places of the
points in the crop, for every scheme it takes; the least-squares similarity (Umeyama 1991) lays it on a face. Where
the squares are summed matters, as a noisy fit shrinks what it moves: dlib sums them in the frame, ArcFace in the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceedge.backends.base import CropSpec
from faceedge.errors import BadInput, PackageError
from faceedge.types import Floats

Points = tuple[tuple[float, float], ...]

SCHEMES: dict[str, tuple[str, ...]] = {
    "dlib_5": (
        "outer corner of the eye at image right",
        "inner corner of the eye at image right",
        "outer corner of the eye at image left",
        "inner corner of the eye at image left",
        "base of the nose",
    ),
    "eyes_nose_mouth": (
        "eye at image left",
        "eye at image right",
        "tip of the nose",
        "mouth corner at image left",
        "mouth corner at image right",
    ),
}


@dataclass(frozen=True, slots=True)
class Alignment:
    """crop: its size. templates: places of a scheme's points in crop px.

    fitted_in_crop: errors are measured in px of the crop, not of the frame.
    inclusive: dlib's rule, the crop's first and last pixel lie half a frame px inside the transformed square.
    """

    crop: CropSpec
    templates: dict[str, Points]
    inclusive: bool = False
    fitted_in_crop: bool = False


# Native templates: dlib's mean face with a quarter of padding (get_face_chip_details), ArcFace's five points.
# The other two are the mean places of the scheme's points in crops aligned natively, over 3183 faces that both MMOD
# and YuNet found in 3038 photos (calibration/landmark_templates.py); a point strays 2 to 8 px from its mean.
_DLIB_MEAN = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
_DLIB_PADDING = 0.25
_DLIB_PX = 150
ALIGNMENTS: dict[str, Alignment] = {
    "dlib_150": Alignment(
        CropSpec(_DLIB_PX, _DLIB_PX, pyramid=True),
        {
            "dlib_5": tuple(
                (_DLIB_PX * (x + _DLIB_PADDING) / (1 + 2 * _DLIB_PADDING), _DLIB_PX * (y + _DLIB_PADDING) / 1.5)
                for x, y in _DLIB_MEAN
            ),
            "eyes_nose_mouth": ((47.23, 45.91), (102.38, 46.34), (74.63, 78.89), (50.52, 104.13), (98.51, 104.54)),
        },
        inclusive=True,
    ),
    "arcface_112": Alignment(
        CropSpec(112, 112),
        {
            "eyes_nose_mouth": (
                (38.2946, 51.6963),
                (73.5318, 51.5014),
                (56.0252, 71.7366),
                (41.5493, 92.3655),
                (70.7299, 92.2041),
            ),
            "dlib_5": ((79.59, 52.55), (65.88, 53.13), (31.16, 53.08), (44.95, 53.35), (55.68, 79.65)),
        },
        fitted_in_crop=True,
    ),
}


def crop_spec(alignment: str) -> CropSpec:
    """Size and sampling of an alignment's crops. Raises PackageError on an unknown alignment."""
    return _alignment(alignment).crop


def of_crop(height: int, width: int) -> str | None:
    """The alignment whose crops have this size; None when none has, or several have."""
    fitting = [name for name, one in ALIGNMENTS.items() if (one.crop.height, one.crop.width) == (height, width)]
    return fitting[0] if len(fitting) == 1 else None


def check(scheme: str, alignment: str) -> None:
    """Raises PackageError unless the detector's points can place the recogniser's crop."""
    known = _alignment(alignment).templates
    if scheme not in known:
        raise PackageError(
            f"landmark scheme {scheme or 'none'!r} cannot place crops of alignment {alignment!r}, "
            f"which takes {' or '.join(sorted(known))}; choose another detector or recogniser"
        )


def matrices(landmarks: Sequence[Floats] | Floats, scheme: str, alignment: str) -> Floats:
    """float32 (n, 2, 3), crop px to frame px, for landmarks (n, 5, 2) in frame px.

    Raises BadInput on another shape or values that are not finite, PackageError on names that do not fit.
    """
    check(scheme, alignment)
    points = np.asarray(landmarks, np.float64).reshape(-1, 5, 2) if len(landmarks) else np.zeros((0, 5, 2))
    if not np.isfinite(points).all():
        raise BadInput("landmarks must be finite numbers")
    chosen = ALIGNMENTS[alignment]
    linear, shift = similarity(np.array(chosen.templates[scheme]), points, fitted_in_source=chosen.fitted_in_crop)
    if chosen.inclusive:
        linear, shift = _inclusive(linear, shift, chosen.crop)
    return np.concatenate([linear, shift[:, :, None]], axis=2).astype(np.float32)


def similarity(
    source: NDArray[Any], targets: NDArray[Any], *, fitted_in_source: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation with scale (n, 2, 2) and shift (n, 2) that take source (k, 2) to each of targets (n, k, 2) best.

    The squared errors are those of the targets or, fitted in the source, of the way back. In the plane the solution
    is closed: two sums over the centred points, and never a reflection.
    """
    middle, middles = source.mean(axis=0), targets.mean(axis=1)
    start, moved = source - middle, targets - middles[:, None]
    along = (moved * start).sum(axis=(1, 2))
    across = (moved[..., 1] * start[:, 0] - moved[..., 0] * start[:, 1]).sum(axis=1)
    size = (start * start).sum() * np.ones(len(targets))
    if fitted_in_source:
        size = (along**2 + across**2) / np.maximum((moved * moved).sum(axis=(1, 2)), 1e-9)
    cos, sin = along / np.maximum(size, 1e-9), across / np.maximum(size, 1e-9)
    linear = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    return linear, middles - linear @ middle


def _inclusive(
    linear: NDArray[np.float64], shift: NDArray[np.float64], crop: CropSpec
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """dlib's rectangles include their last pixel: the centre stays, a side of n px spans n - 1 steps."""
    size = np.array([crop.width, crop.height], np.float64)
    centre = linear @ (size / 2) + shift
    scale = np.maximum(np.hypot(linear[:, 0, 0], linear[:, 1, 0]), 1e-9)
    inside = linear * ((scale * crop.width - 1) / (scale * (crop.width - 1)))[:, None, None]
    return inside, centre - inside @ ((size - 1) / 2)


def _alignment(name: str) -> Alignment:
    if name not in ALIGNMENTS:
        raise PackageError(f"unknown alignment {name!r}; known are {', '.join(sorted(ALIGNMENTS))}")
    return ALIGNMENTS[name]
