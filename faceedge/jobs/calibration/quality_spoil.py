"""A clean picture of a face in, a worse one out: what cameras, light and people at a door do to pictures, by seed.

Each way of spoiling draws how bad it is, mild ones as often as ruinous ones, so that a head learns the whole range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from faceedge.types import Floats, Image

Dice: TypeAlias = np.random.Generator
Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height of the face in px."""
Spoil = Callable[[Image, Box, Dice], Image]
TWICE = 0.25
"""So often a second fault is added to the first."""


def defocused(image: Image, box: Box, dice: Dice) -> Image:
    """Out of focus by 0.8 to 6 % of the face."""
    return _image(cv2.GaussianBlur(image, (0, 0), max(0.5, box[2] * _between(dice, 0.008, 0.06))))


def moved(image: Image, box: Box, dice: Dice) -> Image:
    """Smeared along a line of 4 to 25 % of the face, in any direction."""
    long, angle = box[2] * _between(dice, 0.04, 0.25), dice.uniform(0, np.pi)
    side = max(3, int(np.ceil(long)) | 1)
    kernel = np.zeros((side, side), np.float32)
    for at in np.linspace(-0.5, 0.5, 4 * side) * long:
        spot = (round(side / 2 - 0.5 + at * part) for part in (np.sin(angle), np.cos(angle)))
        row, column = (min(max(place, 0), side - 1) for place in spot)
        kernel[row, column] += 1
    return _image(cv2.filter2D(image, -1, kernel / kernel.sum()))


def darkened(image: Image, _box: Box, dice: Dice) -> Image:
    """3 to 40 % of the light, and the noise of so few photons and of the sensor."""
    light = image * np.float32(_between(dice, 0.03, 0.4))
    noise = np.sqrt(dice.uniform(0.1, 1) * light + dice.uniform(0.5, 5) ** 2)
    return _clipped(light + noise * dice.standard_normal(image.shape, np.float32))


def glaring(image: Image, _box: Box, dice: Dice) -> Image:
    """1.3 to 4 times the light: what was bright is white."""
    return _clipped(image * np.float32(_between(dice, 1.3, 4)) + np.float32(dice.uniform(0, 40)))


def backlit(image: Image, box: Box, dice: Dice) -> Image:
    """A bright door behind a dark face, its light coming in from all around."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    middle = (box[0] + box[2] * dice.uniform(0.2, 0.8), box[1] + box[3] * dice.uniform(0.2, 0.8))
    away = np.hypot((columns - middle[0]) / box[2], (rows - middle[1]) / box[3]) / dice.uniform(0.7, 1.7)
    veil = np.clip(away - dice.uniform(0.2, 0.5), 0, 1)[..., None]
    return _clipped(image * np.float32(dice.uniform(0.1, 0.6)) * (1 - veil) + veil * dice.uniform(170, 255))


def hazy(image: Image, _box: Box, dice: Dice) -> Image:
    """A dirty or misted lens: 5 to 50 % of the contrast about some grey."""
    return _clipped(dice.uniform(50, 200) + (image - image.mean()) * _between(dice, 0.05, 0.5))


def compressed(image: Image, _box: Box, dice: Dice) -> Image:
    """JPEG of quality 3 to 30."""
    done, file = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(_between(dice, 3, 30))])
    assert done, "a picture of three channels can be written as JPEG"
    return _image(cv2.imdecode(file, cv2.IMREAD_COLOR))


def coarse(image: Image, box: Box, dice: Dice) -> Image:
    """As if the face had 12 to 45 px, and was enlarged."""
    factor = min(1.0, _between(dice, 12, 45) / max(1.0, min(box[2], box[3])))
    few = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    how = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(dice.integers(3))]
    return _image(cv2.resize(few, image.shape[1::-1], interpolation=how))


def covered(image: Image, box: Box, dice: Dice) -> Image:
    """A mask, scarf, cap, pair of glasses or hand: a band across the face or a piece of it, plain or with a pattern."""
    is_band = dice.random() < 0.6
    wide = dice.uniform(1.05, 1.3) if is_band else dice.uniform(0.3, 0.8)
    middle = (0.5 if is_band else dice.uniform(0.15, 0.85), dice.uniform(0.05, 0.95))
    place = (box[0] + box[2] * middle[0], box[1] + box[3] * middle[1])
    corners = cv2.boxPoints((place, (wide * box[2], box[3] * dice.uniform(0.15, 0.6)), dice.uniform(-25, 25)))
    mask = np.zeros(image.shape[:2], np.uint8)
    if is_band or dice.random() < 0.5:
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255)
    else:
        cv2.ellipse(mask, cv2.minAreaRect(corners.astype(np.float32)), 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.4, 0.01 * box[2])).astype(np.float32)[..., None] / 255
    return _clipped(image * (1 - soft) + soft * _cloth(image.shape[:2], dice))


WAYS: tuple[Spoil, ...] = (
    defocused, moved, darkened, glaring, backlit, hazy, compressed, coarse, covered, covered, covered,
)  # fmt: skip
"""Each makes one copy of every photo; covers are of many kinds."""


def distant(image: Image, box: Box, dice: Dice) -> tuple[Image, Box]:
    """The same scene from farther away: a face of 32 to 100 px, where it is not smaller already."""
    factor = min(1.0, _between(dice, 32, 100) / max(1.0, min(box[2], box[3])))
    far = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    across, down = far.shape[1] / image.shape[1], far.shape[0] / image.shape[0]
    return _image(far), (box[0] * across, box[1] * down, box[2] * across, box[3] * down)


def spoiled(image: Image, box: Box, dice: Dice, way: Spoil) -> tuple[Image, bool]:
    """The picture spoiled by `way` and sometimes once more; and whether something covers the face."""
    worse, ways = way(image, box, dice), [way]
    if dice.random() < TWICE:
        ways.append(WAYS[int(dice.integers(len(WAYS)))])
        worse = ways[-1](worse, box, dice)
    return worse, covered in ways


def pattern(side: int, dice: Dice) -> Image:
    """uint8 (side, side, 3) that shows no face: stripes, checks, spots, clouds, in two colours and some noise."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32) / side
    angle, many = dice.uniform(0, np.pi), _between(dice, 2, 14)
    along = np.cos(angle) * columns + np.sin(angle) * rows
    across = np.cos(angle) * rows - np.sin(angle) * columns
    kinds: tuple[NDArray[np.floating], ...] = (
        np.sin(2 * np.pi * many * along), np.sign(np.sin(np.pi * many * along) * np.sin(np.pi * many * across)),
        np.sin(np.pi * many * along) * np.sin(np.pi * many * across), _clouds(side, dice),
        np.cos(2 * np.pi * many * np.hypot(rows - dice.random(), columns - dice.random())),
    )  # fmt: skip
    share = (kinds[int(dice.integers(len(kinds)))] + 1)[..., None] / 2
    one, other = dice.uniform(0, 255, (2, 3))
    return _clipped(one + share * (other - one) + dice.normal(0, _between(dice, 0.5, 20), (side, side, 3)))


def drawn(side: int, dice: Dice) -> Image:
    """uint8 (side, side, 3): two eyes, a nose and a mouth of sorts on a blob: what a detector may fire at."""
    image, spare = pattern(side, dice), pattern(side, dice)
    blob = np.zeros((side, side), np.uint8)
    half, axes = side / 2, side * dice.uniform((0.24, 0.28), (0.4, 0.45))
    cv2.ellipse(blob, ((half, half), (2 * axes[0], 2 * axes[1]), float(dice.uniform(-15, 15))), 255, -1)
    image[blob > 0] = (_clipped(dice.uniform(0, 255, 3) + 0.3 * (spare.astype(np.float32) - 128)))[blob > 0]
    ink, lid = (tuple(map(int, dice.uniform(low, high, 3))) for low, high in ((0, 120), (100, 256)))
    apart, up, eye = side * dice.uniform((0.09, 0.04, 0.03), (0.16, 0.12, 0.09))
    for x in (half - apart, half + apart):
        place = (round(x), round(half - up))
        if dice.random() < 0.6:
            cv2.ellipse(image, place, (round(1.8 * eye), round(1.4 * eye)), 0, 0, 360, lid, -1)
        cv2.circle(image, place, round(eye), ink, -1)
    mouth = (round(half), round(half + side * dice.uniform(0.12, 0.22)))
    wide = (round(side * dice.uniform(0.05, 0.16)), round(side * dice.uniform(0.01, 0.08)))
    cv2.ellipse(image, mouth, wide, 0, 0, float(dice.choice([180, 360])), ink, -1 if dice.random() < 0.5 else 2)
    cv2.ellipse(image, (round(half), round(half + 0.04 * side)), (wide[1], wide[1]), 0, 0, 360, ink, -1)
    grey = np.float32(image).mean(2, keepdims=True)
    return _clipped(cv2.GaussianBlur(grey + (image - grey) * dice.uniform(0, 1), (0, 0), _between(dice, 0.4, 3)))


def shuffled(image: Image, box: Box, dice: Dice) -> Image:
    """The face cut into 9 or 16 tiles, and these laid out anew: everything of a face but the face."""
    many = int(dice.integers(3, 5))
    x, y = (max(0, int(edge)) for edge in box[:2])
    wide, high = (int(min(long, end - start)) // many for long, start, end in _spans(image, box, x, y))
    if wide < 2 or high < 2:
        return pattern(min(image.shape[:2]), dice)
    laid, order = np.array(image), dice.permutation(many * many)
    for at, source in enumerate(order):
        (row, column), (from_row, from_column) = divmod(at, many), divmod(int(source), many)
        tile = image[y + from_row * high :, x + from_column * wide :][:high, :wide]
        laid[y + row * high :, x + column * wide :][:high, :wide] = tile
    return laid


def _spans(image: Image, box: Box, x: int, y: int) -> tuple[tuple[float, int, int], ...]:
    return (box[2], x, image.shape[1]), (box[3], y, image.shape[0])


def _cloth(size: tuple[int, int], dice: Dice) -> Floats:
    """float32 (h, w, 3): one colour, or a coarse pattern."""
    plain = np.clip(dice.uniform(0, 255) + dice.normal(0, dice.choice([0, 30]), 3), 0, 255)
    if dice.random() < 0.7:
        return np.broadcast_to(np.asarray(plain, np.float32), (*size, 3))
    spots = dice.uniform(0, 255, (8, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(spots, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _clouds(side: int, dice: Dice) -> Floats:
    few = dice.uniform(-1, 1, (int(dice.integers(3, 16)),) * 2).astype(np.float32)
    return np.asarray(cv2.resize(few, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def _between(dice: Dice, low: float, high: float) -> float:
    """Each doubling equally likely."""
    return float(np.exp(dice.uniform(np.log(low), np.log(high))))


def _image(pixels: NDArray[np.generic] | object) -> Image:
    return np.asarray(pixels, np.uint8)


def _clipped(pixels: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)
