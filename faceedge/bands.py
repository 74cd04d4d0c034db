"""What one picture of somebody is worth at one door, by the numbers of that door. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Final, get_args

from faceedge.config import Decide, DoorDecide
from faceedge.fit import Judging, Thresholds
from faceedge.measures import SMALL
from faceedge.types import Assessment, Band, Match, Shot

PRODUCT = Judging()
USABLE_QUALITY = PRODUCT.usable
TRUSTED_QUALITY = PRODUCT.trusted
ANYWHERE: Final = ""
"""In place of a door, where none has numbers of its own."""
WORTH: tuple[Band, ...] = get_args(Band)
"""From nothing to most."""
ON_TRIAL: Final = "on_trial"
"""The reason where a model on trial does not say the same as the one that serves."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a decision for one door is measured by. Similarities are raw, `face_px` the shorter side of a face.

    lockout: whether who has failed again and again needs a second factor there for a while. look_alikes: whether who is
    flagged as a look-alike needs one always.
    """

    grey: float
    match: float
    strict: float
    margin: float
    votes: int
    of: int
    face_px: int
    usable: float = USABLE_QUALITY
    trusted: float = TRUSTED_QUALITY
    lockout: bool = True
    look_alikes: bool = False

    def as_json(self) -> dict[str, float]:
        """By name, as the journal writes them down."""
        return {name: value for name, value in asdict(self).items() if name not in ("lockout", "look_alikes")}

    def is_usable(self, shot: Shot) -> bool:
        """Whether a shot may vote."""
        return size_px(shot) >= self.face_px and shot.assessment.quality >= self.usable

    def is_certain(self, match: Match) -> bool:
        """Whether one match by itself says who it is: near enough, well before the second, and nobody objects."""
        return self._is_clear(match) and WORTH.index(match.most) > WORTH.index("grey")

    def band(self, shot: Shot, match: Match) -> Band:
        """Where one shot stands, but not above what the match may count for."""
        return lesser(self._band(shot, match), match.most)

    def is_denied(self, shot: Shot, match: Match) -> bool:
        """Whether it would name somebody if a model on trial did not say otherwise."""
        return match.most == "none" != self._band(shot, match)

    def doubt(self, shot: Shot, match: Match) -> str:
        """Why a match in the grey band is no more than that."""
        if self._band(shot, match) != "grey":
            return ON_TRIAL
        if not match.margin >= self.margin:
            return "ambiguous"
        return "grey_zone" if match.similarity < self.match else "low_quality"

    def _is_clear(self, match: Match) -> bool:
        return match.similarity >= self.match and match.margin >= self.margin

    def _band(self, shot: Shot, match: Match) -> Band:
        """Similarity first, then how far the picture and the lead can be trusted."""
        if match.person is None or not match.similarity >= self.grey:
            return "none"
        if not self._is_clear(match):
            return "grey"
        if shot.assessment.quality >= self.trusted:
            return "trusted"
        return "low_quality" if match.similarity >= self.strict else "grey"


def lesser(*bands: Band) -> Band:
    """The lowest of them."""
    return min(bands, key=WORTH.index)


def size_px(shot: Shot) -> float:
    """The shorter side of the face."""
    return min(shot.face.width_px, shot.face.height_px)


def as_small(shot: Shot, doors: Iterable[Limits]) -> Shot:
    """A shot whose face is too small for all doors, with a quality that says so: half of what is usable, at most.

    Nobody asks a network about it, and what is seen before that may well look good: as a cat does.
    """
    nearest = min(doors, key=lambda limits: limits.face_px)
    share = size_px(shot) / nearest.face_px
    if share >= 1:
        return shot
    before = shot.assessment
    words = (SMALL, *(reason for reason in before.reasons if reason != SMALL))
    return replace(shot, assessment=Assessment(min(before.quality, nearest.usable / 2 * share), words, before.raw))


def limits_of(
    rules: Decide, thresholds: Thresholds, own: DoorDecide | None = None, judging: Judging = PRODUCT
) -> Limits:
    """The numbers of the model, in their place those of the device, and in their place a door's own.

    Raises ValueError when they do not go together.
    """
    margin = judging.margin if rules.margin is None else rules.margin
    usual = Limits(
        thresholds.grey, thresholds.match, thresholds.strict, margin, rules.votes, rules.of, rules.min_face_px,
        judging.usable, judging.trusted,
    )  # fmt: skip
    if own is None:
        return usual
    named = own.model_dump(exclude_none=True)
    if "min_face_px" in named:
        named["face_px"] = named.pop("min_face_px")
    mixed = Limits(**{**asdict(usual), **named})
    if not mixed.grey <= mixed.match <= mixed.strict:
        raise ValueError(f"grey ({mixed.grey}), match ({mixed.match}) and strict ({mixed.strict}) must not fall")
    if not mixed.votes <= mixed.of:
        raise ValueError(f"votes ({mixed.votes}) cannot exceed of ({mixed.of})")
    if not mixed.usable <= mixed.trusted:
        raise ValueError(f"usable ({mixed.usable}) cannot exceed trusted ({mixed.trusted})")
    return mixed


def looser(own: Limits, usual: Limits) -> list[str]:
    """The numbers by which a door lets in whom the usual ones would not, as `match 0.4 (usually 0.5)`."""
    told = []
    for one in fields(Limits):
        here, there = getattr(own, one.name), getattr(usual, one.name)
        if here < there and one.name != "of":
            told.append(f"{one.name} {here:g} (usually {there:g})" if one.name != "lockout" else "lockout off")
    return told


def grouped(doors: Mapping[str, Limits]) -> list[tuple[Limits, tuple[str, ...]]]:
    """Doors that are measured alike belong together."""
    alike: dict[Limits, list[str]] = {}
    for door, limits in doors.items():
        alike.setdefault(limits, []).append(door)
    return [(limits, tuple(names)) for limits, names in alike.items()]
