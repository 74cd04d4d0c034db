"""A sheet of paper for the contact sheet: panels, pictures and set type, in pixels, drawn smoothly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from faceedge.types import Floats, Image

Colour = tuple[int, int, int]
"""Blue, green, red."""
Area = tuple[int, int, int, int]
"""x0, y0, x1, y1."""
Align = Literal["left", "middle", "right"]


@dataclass(frozen=True, slots=True)
class Ink:
    """How text looks: size in px, weight 300 (light) to 900 (black)."""

    colour: Colour
    size: int
    weight: int = 400


class Paper:
    """A picture being drawn, `image` uint8 BGR. Places are whole pixels."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.image: Image = np.full((height, width, 3), colour, np.uint8)
        self._font = cv2.FontFace("sans")

    def text(self, words: str, at: tuple[int, int], ink: Ink, align: Align = "left") -> int:
        """Sets one line with its baseline at `at`; returns its width."""
        width = self.width_of(words, ink)
        x = at[0] - {"left": 0, "middle": width // 2, "right": width}[align]
        cv2.putText(self.image, words, (x, at[1]), ink.colour, self._font, ink.size, ink.weight)
        return width

    def width_of(self, words: str, ink: Ink) -> int:
        """How wide one line would be."""
        height, width = self.image.shape[:2]
        return int(cv2.getTextSize((width, height), words, (0, ink.size), self._font, ink.size, ink.weight)[2])

    def wrapped(self, words: str, at: tuple[int, int], ink: Ink, width: int) -> int:
        """Sets text in lines of at most `width`; returns the baseline after the last one."""
        line, y = "", at[1]
        for word in words.split():
            longer = f"{line} {word}".strip()
            if line and self.width_of(longer, ink) > width:
                self.text(line, (at[0], y), ink)
                line, y = word, y + round(ink.size * 1.3)
            else:
                line = longer
        self.text(line, (at[0], y), ink)
        return y + round(ink.size * 1.3)

    def panel(self, area: Area, colour: Colour, radius: int = 0, opacity: float = 1.0) -> None:
        """A filled rectangle with round corners."""
        spot = self._spot(area)
        mask = _rounded(spot.shape[1], spot.shape[0], radius)[..., None] * opacity
        spot[:] = (spot * (1 - mask) + np.array(colour, np.float32) * mask + 0.5).astype(np.uint8)

    def picture(self, picture: Image, area: Area, radius: int) -> None:
        """A picture shrunk into the area, with round corners."""
        spot = self._spot(area)
        size = (spot.shape[1], spot.shape[0])
        mask = _rounded(*size, radius)[..., None]
        shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        spot[:] = (spot * (1 - mask) + shrunk * mask + 0.5).astype(np.uint8)

    def shade(self, area: Area, opacity: float) -> None:
        """Darkens towards the lower edge, so that text can be read there."""
        spot = self._spot(area)
        fall = np.linspace(0, 1, spot.shape[0], dtype=np.float32)[:, None, None] ** 0.7
        spot[:] = (spot * (1 - opacity * fall)).astype(np.uint8)

    def frame(self, area: Area, colour: Colour, radius: int, width: int) -> None:
        """The outline of a rectangle with round corners, drawn inwards."""
        spot = self._spot(area)
        size = (spot.shape[1], spot.shape[0])
        mask = _rounded(*size, radius)
        inner = _rounded(size[0] - 2 * width, size[1] - 2 * width, max(0, radius - width))
        mask[width:-width, width:-width] -= inner
        ring = np.clip(mask, 0, 1)[..., None]
        spot[:] = (spot * (1 - ring) + np.array(colour, np.float32) * ring + 0.5).astype(np.uint8)

    def corners(self, area: Area, colour: Colour, arm: int, width: int) -> None:
        """The four corners of a box, as viewfinders draw them."""
        x0, y0, x1, y1 = area
        for x, dx in ((x0, arm), (x1, -arm)):
            for y, dy in ((y0, arm), (y1, -arm)):
                for end in ((x + dx, y), (x, y + dy)):
                    cv2.line(self.image, (x, y), end, colour, width, cv2.LINE_AA)

    def dot(self, at: tuple[int, int], radius: int, colour: Colour) -> None:
        cv2.circle(self.image, at, radius, colour, -1, cv2.LINE_AA)

    def _spot(self, area: Area) -> Image:
        x0, y0, x1, y1 = area
        return self.image[y0:y1, x0:x1]


def _rounded(width: int, height: int, radius: int) -> Floats:
    """float32 (height, width): 1 inside a rectangle with round corners, 0 outside, smooth between."""
    x = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius)
    corner = np.hypot(np.maximum(x, 0)[None], np.maximum(y, 0)[:, None])
    return np.asarray(np.clip(radius - corner + 0.5, 0, 1) if radius else np.ones((height, width)), np.float32)
