"""What the demo's camera sees when nobody is there: a hallway in one-point perspective, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from faceedge.types import Floats, Image

HORIZON = 0.43
"""Height of the camera's eye, from the top, as a share of the picture."""
FOCAL = 0.62
"""Focal length as a share of the picture's width: a wide door lens."""
HALF_WIDTH_M, FLOOR_M, CEILING_M, LENGTH_M = 1.25, 1.55, -1.05, 5.2
NEAR_M = 0.35
OVERSAMPLE = 3

Colour = tuple[int, int, int]
Point3 = tuple[float, float, float]

WALL, PANEL, TRIM = (146, 138, 112), (112, 101, 74), (205, 208, 206)
FLOOR, FLOOR_LINE, CEILING = (92, 122, 150), (74, 100, 126), (206, 212, 214)
RUG, RUG_EDGE = (84, 60, 52), (112, 150, 178)
LEAF, POT, DOOR, DOOR_EDGE = (72, 112, 62), (70, 84, 142), (64, 78, 104), (48, 58, 78)


@dataclass(frozen=True, slots=True)
class _Brush:
    """Draws polygons given in metres: x right, y down from the eye, z away from the camera."""

    canvas: Image

    def area(self, colour: Colour, corners: Sequence[Point3]) -> None:
        # fillConvexPoly takes fixed-point corners: `shift` bits of fraction.
        points = np.round(np.array([self._project(corner) for corner in corners]) * 16).astype(np.int32)
        cv2.fillConvexPoly(self.canvas, points, colour, cv2.LINE_AA, shift=4)

    def wall(self, colour: Colour, side: int, y: tuple[float, float], z: tuple[float, float]) -> None:
        """A rectangle on the left (-1) or right (1) wall."""
        x = side * HALF_WIDTH_M
        self.area(colour, [(x, y[0], z[0]), (x, y[0], z[1]), (x, y[1], z[1]), (x, y[1], z[0])])

    def flat(self, colour: Colour, y: float, x: tuple[float, float], z: tuple[float, float]) -> None:
        """A rectangle lying at height `y`."""
        self.area(colour, [(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])])

    def back(self, colour: Colour, x: tuple[float, float], y: tuple[float, float], z: float = LENGTH_M) -> None:
        """A rectangle facing the camera."""
        self.area(colour, [(x[0], y[0], z), (x[1], y[0], z), (x[1], y[1], z), (x[0], y[1], z)])

    def blob(self, colour: Colour, at: Point3, width_m: float, height_m: float, tilt_deg: float = 0.0) -> None:
        width = self.canvas.shape[1]
        u, v = self._project(at)
        px = FOCAL * width / at[2] / 2
        cv2.ellipse(self.canvas, ((u, v), (2 * width_m * px, 2 * height_m * px), tilt_deg), colour, -1, cv2.LINE_AA)

    def _project(self, point: Point3) -> tuple[float, float]:
        height, width = self.canvas.shape[:2]
        x, y, z = point
        return width / 2 + FOCAL * width * x / z, HORIZON * height + FOCAL * width * y / z


def hallway(width: int, height: int) -> Floats:
    """The empty hallway, float32 (height, width, 3) BGR 0..255, softly out of focus as behind a near subject."""
    canvas = np.zeros((height * OVERSAMPLE, width * OVERSAMPLE, 3), np.uint8)
    brush = _Brush(canvas)
    _shell(brush)
    _doors(brush)
    _furniture(brush)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    lit = small * _light(width, height)[..., None] + _glow(width, height)
    return np.asarray(np.clip(cv2.GaussianBlur(lit, (0, 0), width / 420), 0, 255), np.float32)


def _shell(brush: _Brush) -> None:
    deep = (NEAR_M, LENGTH_M)
    brush.flat(CEILING, CEILING_M, (-HALF_WIDTH_M, HALF_WIDTH_M), deep)
    brush.flat(FLOOR, FLOOR_M, (-HALF_WIDTH_M, HALF_WIDTH_M), deep)
    for x in np.linspace(-HALF_WIDTH_M, HALF_WIDTH_M, 11):
        brush.flat(FLOOR_LINE, FLOOR_M, (x - 0.008, x + 0.008), deep)
    brush.flat(RUG_EDGE, FLOOR_M, (-0.62, 0.62), (NEAR_M, 4.7))
    brush.flat(RUG, FLOOR_M, (-0.54, 0.54), (NEAR_M, 4.62))
    brush.back(WALL, (-HALF_WIDTH_M, HALF_WIDTH_M), (CEILING_M, FLOOR_M))
    for side in (-1, 1):
        brush.wall(WALL, side, (CEILING_M, FLOOR_M), deep)
        brush.wall(PANEL, side, (0.5, FLOOR_M), deep)
        brush.wall(TRIM, side, (0.46, 0.5), deep)
        brush.wall(TRIM, side, (FLOOR_M - 0.1, FLOOR_M), deep)
        brush.wall(TRIM, side, (CEILING_M, CEILING_M + 0.05), deep)


def _doors(brush: _Brush) -> None:
    for side, near in ((-1, 2.3), (1, 3.3)):
        brush.wall(TRIM, side, (-0.62, FLOOR_M), (near - 0.1, near + 1.0))
        brush.wall(DOOR, side, (-0.54, FLOOR_M), (near, near + 0.9))
        for y in ((-0.4, 0.4), (0.55, 1.4)):
            brush.wall(DOOR_EDGE, side, y, (near + 0.15, near + 0.75))
    brush.back(TRIM, (-0.66, 0.66), (-0.68, FLOOR_M))
    for x in ((-0.58, -0.01), (0.01, 0.58)):
        brush.back(DOOR, x, (-0.6, FLOOR_M))
        middle = sum(x) / 2
        brush.back((236, 226, 206), (middle - 0.19, middle + 0.19), (-0.45, 0.62))
        brush.back(DOOR_EDGE, (middle - 0.01, middle + 0.01), (-0.45, 0.62))
        brush.back(DOOR_EDGE, (middle - 0.19, middle + 0.19), (0.08, 0.1))
        brush.back(DOOR_EDGE, (middle - 0.19, middle + 0.19), (0.85, 1.4))


def _furniture(brush: _Brush) -> None:
    brush.wall((60, 74, 92), -1, (-0.5, 0.18), (3.8, 4.7))
    brush.wall((168, 186, 190), -1, (-0.44, 0.12), (3.88, 4.62))
    brush.wall((150, 120, 70), -1, (-0.25, 0.0), (4.0, 4.5))
    for tilt, dx, dy in ((-50, -0.16, 0.78), (48, 0.16, 0.76), (-22, -0.09, 0.6), (24, 0.1, 0.6), (0, 0.0, 0.52)):
        brush.blob(LEAF, (0.93 + dx, dy, 4.9), 0.15, 0.55, tilt)
    brush.back(POT, (0.76, 1.1), (1.05, 1.5), 4.85)
    for z in (1.1, 2.2, 3.3, 4.4):
        brush.flat((250, 253, 255), CEILING_M, (-0.3, 0.3), (z - 0.09, z + 0.09))


def _light(width: int, height: int) -> Floats:
    """Brightness by place: a vignette and darker feet. float32 (height, width), about 0.5..1.1."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    x, y = (u - width / 2) / width, (v - HORIZON * height) / height
    radius = np.hypot(x, y * height / width)
    return np.asarray(1.06 - 1.1 * radius**2 - 0.5 * np.abs(x) ** 1.5 - 0.16 * np.clip(y, 0, 1), np.float32)


def _glow(width: int, height: int) -> Floats:
    """Light that spills from lamps and the end window, float32 (height, width, 3) to be added."""
    sources = np.zeros((height, width, 3), np.uint8)
    brush = _Brush(sources)
    brush.back((255, 240, 214), (-0.5, 0.5), (-0.45, 0.62))
    for z in (1.1, 2.2, 3.3, 4.4):
        brush.flat((190, 225, 250), CEILING_M, (-0.3, 0.3), (z - 0.09, z + 0.09))
    spread = sources.astype(np.float32)
    near, far = cv2.GaussianBlur(spread, (0, 0), width / 70), cv2.GaussianBlur(spread, (0, 0), width / 18)
    return np.asarray(0.22 * near + 0.3 * far, np.float32)
