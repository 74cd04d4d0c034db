"""How far can a face image be trusted: 0..1 and the reasons in words. Pure.

`shot` looks before the network: each plain feature is mapped to 0..1 by a ramp and the weakest one is the quality, so
that a single bad property is enough to distrust a picture and names itself as the reason. The ramps are design choices
of this version, not fitted ones. Where the recogniser's answer says how far the picture can be trusted, `quality` asks
it; then only what is too small is refused unasked, for the ramps are poor prophets. A quality network in place of
that can only lower the quality. The numbers of both are in their own `fit.toml`.
"""

from __future__ import annotations

import math

import numpy as np

from faceedge.measures import SMALL, measure
from faceedge.quality_head import NO_FACE, Forecast, features
from faceedge.types import Assessment, Face, Image

GOOD_ENOUGH = 0.6
"""Below this a feature is named as a reason (design: Numbers that decide)."""
USABLE = 0.4
"""Below this a picture neither votes nor enrols (the same)."""

UNCLEAR = "covered or unclear"
"""The reason when a network trusts the face less than any plain feature does, and cannot say why."""


def shot(face: Face, crop: Image, scheme: str, *, is_asked: bool = False) -> Assessment:
    """Whether a detected face is worth recognising. crop: aligned, uint8 BGR. scheme: of the face's landmarks.

    is_asked: `quality` will decide, so everything large enough is usable, the better the better.
    """
    seen = measure(face, crop, scheme)
    ramps = {
        SMALL: _ramp(seen.side_px, 20, 76),
        "too dark": _ramp(seen.light, 18, 62),
        "over-exposed": _ramp(255 - seen.light, 15, 55),
        "low contrast": _ramp(seen.high - seen.low, 10, 48),
        "blurred": _ramp(seen.sharpness, 0.02, 0.065),
        "turned away": _ramp(1 - seen.yaw, 0.15, 0.6),
    }
    reasons = sorted((value, name) for name, value in ramps.items() if value < GOOD_ENOUGH)
    words = tuple(name for _, name in reasons)
    worth = min(ramps.values())
    if is_asked:
        worth = ramps[SMALL] if ramps[SMALL] < USABLE else USABLE + (1 - USABLE) * worth
    return Assessment(worth, words, features=features(seen.row, seen.grey))


def quality(before: Assessment, said: Forecast) -> Assessment:
    """What `shot` said and what the recogniser's answer says, as one.

    A picture that was unusable stays so: hard limits are not for a forecast to lift. Of any other the forecast decides,
    up and down, for it was held against recognitions and the ramps were not.
    """
    raw = said.raw if math.isfinite(said.raw) else None
    if before.quality < USABLE:
        words = (NO_FACE, *before.reasons) if said.reason == NO_FACE else before.reasons
        return Assessment(min(before.quality, said.quality), words, raw)
    if said.quality >= GOOD_ENOUGH:
        return Assessment(said.quality, (), raw)
    named = (said.reason,) if said.reason else ()
    return Assessment(said.quality, (*named, *before.reasons) or (UNCLEAR,), raw)


def lowered(plain: Assessment, raw: float, network: float) -> Assessment:
    """The lower of the plain features and a quality network, its reason first when it is poor.

    raw: what the network said; network: the same as quality 0..1.
    """
    said = raw if math.isfinite(raw) else None
    if network >= plain.quality:
        return Assessment(plain.quality, plain.reasons, said)
    return Assessment(network, (UNCLEAR, *plain.reasons) if network < GOOD_ENOUGH else plain.reasons, said)


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
