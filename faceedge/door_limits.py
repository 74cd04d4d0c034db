"""The numbers of every door that a camera watches, and what to say of those that let in more than usual. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from faceedge.bands import PRODUCT, Limits, limits_of, looser
from faceedge.config import Decide, Door
from faceedge.errors import ConfigError
from faceedge.fit import Judging, Thresholds

SCORES = ("grey", "match", "strict", "margin")
"""What of a door's numbers is a score of its recogniser."""
STANDS_STILL = "[decide] motion is off: a photo that stands still before a camera counts as a living face does"


@dataclass(frozen=True, slots=True)
class Numbers:
    """usual: of the model and the device. own: of doors that have some of their own, whole, by name. notices: what a
    start and the state say of it."""

    usual: Limits
    own: Mapping[str, Limits]
    notices: tuple[str, ...] = ()

    @classmethod
    def of(cls, doors: Iterable[Door], rules: Decide, thresholds: Thresholds, judging: Judging = PRODUCT) -> Numbers:
        """Raises ConfigError when numbers of a door do not go together."""
        usual = limits_of(rules, thresholds, judging=judging)
        own = {door.name: _own(door, rules, thresholds, judging) for door in doors if _has_own(door)}
        said = [f"[decide] margin {usual.margin:g} is less than the model's {judging.margin:g}"] * (
            usual.margin < judging.margin
        )
        said += [
            f"door {name} lets in more than its model and [decide] would: {', '.join(words)}"
            for name, limits in own.items()
            if (words := looser(limits, usual))
        ]
        return cls(usual, own, (*said, *([] if rules.motion else [STANDS_STILL])))

    def by_camera(self, watched: Mapping[str, Sequence[Door]]) -> dict[str, dict[str, Limits]]:
        """For the judge: cameras of which a door has numbers of its own, each with all its doors."""
        return {
            camera: {door.name: self.own.get(door.name, self.usual) for door in doors}
            for camera, doors in watched.items()
            if any(door.name in self.own for door in doors)
        }

    def own_json(self) -> dict[str, dict[str, float]]:
        """By door, what differs from the usual."""
        usual = self.usual.as_json()
        return {
            door: {name: value for name, value in limits.as_json().items() if value != usual[name]}
            for door, limits in self.own.items()
        }


def loosened(before: Numbers, after: Numbers) -> str:
    """A sentence where a door's own scores, which were none of its model's less, are less than another model's: raw
    scores of two recognisers do not compare, and those were meant for the first. Empty where there is none."""
    for door, own in after.own.items():
        for score in SCORES:
            here, there = getattr(own, score), getattr(after.usual, score)
            if here < there and not getattr(before.own[door], score) < getattr(before.usual, score):
                return (
                    f"door {door!r}: its own {score} {here:g}, set for the recogniser that serves, lets in more than "
                    f"the {there:g} of the new one; mend its [door.decide], or leave it out, then order it again"
                )
    return ""


def _has_own(door: Door) -> bool:
    return door.decide is not None or door.look_alikes == "review"


def _own(door: Door, rules: Decide, thresholds: Thresholds, judging: Judging) -> Limits:
    try:
        measured = limits_of(rules, thresholds, door.decide, judging)
    except ValueError as error:
        raise ConfigError(f"door {door.name!r}: {error}; mend its [door.decide], or leave keys out") from error
    return replace(measured, look_alikes=door.look_alikes == "review")
