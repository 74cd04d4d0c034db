"""What flows through faceedge, in order: Frame -> Face -> Shot -> Template -> Match -> Decision.

All are frozen. Coordinates are pixels of the upright image (x right, y down); times are seconds of the
monotonic clock; `score`, `quality` are 0..1.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""uint8, height x width x 3, BGR."""
Floats: TypeAlias = NDArray[np.float32]

Outcome = Literal["grant", "deny", "review"]
Band = Literal["none", "grey", "low_quality", "trusted"]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from one camera.

    seq: rises by one a captured frame, gaps are frames dropped by the camera.
    captured: monotonic seconds at the moment the picture was taken or received.
    """

    camera: str
    seq: int
    image: Image
    captured: float


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one image.

    box: float32 (4,), x0 y0 x1 y1 in px. landmarks: float32 (5, 2) px, in the order of the detector's
    landmark scheme (`align.SCHEMES`).
    """

    box: Floats
    score: float
    landmarks: Floats

    @property
    def width_px(self) -> float:
        return float(self.box[2] - self.box[0])

    @property
    def height_px(self) -> float:
        return float(self.box[3] - self.box[1])


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far an image of a face can be trusted: quality 0..1 and, when it is poor, why in words.

    raw: what the recogniser or a quality network said, on its own scale; None without one. features: float32, what
    was measured before the recogniser was asked (`quality_head.features`), for looking again afterwards.
    """

    quality: float
    reasons: tuple[str, ...] = ()
    raw: float | None = None
    features: Floats | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A face of a track, cut out and worth recognising.

    crop: uint8 BGR of the recogniser's size; empty when it would have come too late to be recognised.
    generation: number of the bundle of networks that it was cut for. frame: what it was cut from, uint8 BGR, only while
    other networks look at it, too.
    """

    camera: str
    track: int
    seq: int
    captured: float
    face: Face
    crop: Image
    assessment: Assessment
    generation: int = 0
    frame: Image | None = None

    @property
    def is_cut(self) -> bool:
        return self.crop.size > 0


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What a recogniser makes of a crop.

    embedding: float32 (d,), unit norm. norm: length before normalisation.
    aux: further outputs of the network, by name. space: embeddings compare only within one space.
    """

    embedding: Floats
    norm: float
    space: str
    aux: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest person of the gallery, or nobody (`person` None: the gallery is empty).

    person: uuid of the person. similarity: raw score (`gallery.search.similarity`), 1 is identical.
    margin: similarity minus that of the second person, infinite when there is no second. most: what it may count for,
    which is less where a model on trial does not say the same.
    """

    person: str | None
    similarity: float
    margin: float
    most: Band = "trusted"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers a decision was made from; they stay in the journal and never travel on `…/decision`."""

    similarity: float | None
    margin: float | None
    quality: float
    votes: int
    shots: int
    captured: float
    """When the newest picture that counted was taken, monotonic seconds."""
    box: tuple[float, float, float, float] | None = None
    seq: int = -1
    poor: tuple[str, ...] = ()
    """Why the picture was poor, in words, worst first."""


SECOND_FACTOR_S = 30.0
"""A review may be confirmed for so long, by the clock of the device."""


@dataclass(frozen=True, slots=True)
class Factor:
    """The second factor that a grant rests on. review: id of the decision that asked for it.

    doors: those that were asked about; no other opens.
    """

    review: str
    doors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the door is told and why. `deadline`: after this monotonic second it must not be acted upon.

    segment: rises when the track was split because another face took its place.
    doors: those that the rules allow, by name; empty as long as the rules were not asked, and then nothing opens.
    fit: the doors whose own numbers it meets; None where no door of the camera has numbers of its own.
    id: names it in journal and events; a copy with another outcome is the same decision.
    """

    camera: str
    track: int
    segment: int
    outcome: Outcome
    reason: str
    band: Band
    person: str | None
    evidence: Evidence
    deadline: float
    doors: tuple[str, ...] = ()
    factor: Factor | None = None
    fit: tuple[str, ...] | None = None
    id: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)
