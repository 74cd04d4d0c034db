"""Captured crops as pictures for a calibration, and what is told of them: counts by stratum, never by person."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from faceedge.config import Capture
from faceedge.errors import BadInput
from faceedge.gallery.captured import Kept
from faceedge.gallery.rows import png_to_crop
from faceedge.gallery.store import Gallery
from faceedge.jobs.calibration.source import Sample, whole_face
from faceedge.jobs.strata import Limits, light_band, plan, quality_band

APART = 0.3
"""Share of the captured people who calibrate nothing, so that the gates can be measured on them."""
FEW_PEOPLE = 4
"""With fewer nobody is set apart."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Which crops are wanted: for a recogniser's alignment, at most so many. seed: of who is left out."""

    alignment: str
    most: int
    seed: int


class CapturedCrops:
    """A `Source` of the crops of one moment. A crop that is erased between two passes is missing in the second."""

    def __init__(self, state: Path, chosen: Sequence[Kept], name: str) -> None:
        self.name = name
        self.unreadable: list[str] = []
        self._state = state
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    def samples(self) -> Iterator[Sample]:
        """See `Source.samples`. Raises StoreError when the gallery cannot be read."""
        self.unreadable = []
        with Gallery.open(self._state) as gallery:
            for one in self._chosen:
                png = gallery.captured.png(one)
                if png is None:
                    self.unreadable.append(f"{one.id}: erased meanwhile")
                    continue
                crop, digest = png_to_crop(png), hashlib.sha256(png).hexdigest()
                yield Sample(one.id, digest, one.person or "", crop, (whole_face(one.alignment),), crop)


def captured_crops(
    state: Path, drawn: Drawn, settings: Capture, clock: Callable[[], float] = time.time
) -> CapturedCrops:
    """The crops that fit a recogniser, every stratum with its share; first erases what is too old.

    `Sample.person` is the id of somebody enrolled. Of those some are left out, for the gates. Raises BadInput when no
    crop fits, StoreError.
    """
    with Gallery.open(state) as gallery:
        gallery.captured.expire(clock(), settings.days)
        kept = [one for one in gallery.captured.kept() if one.alignment == drawn.alignment]
    if not kept:
        raise BadInput(
            f"no crop of alignment {drawn.alignment} was captured; set on = true in [capture], let the daemon run for"
            " some days, and look with `faceedge capture status`"
        )
    apart = _set_apart(sorted({one.person for one in kept if one.person is not None}), drawn.seed)
    others = [one for one in kept if one.person not in apart]
    dropped = set(plan(others, (), Limits(drawn.most, drawn.alignment)).dropped)
    chosen = [one for one in others if one.id not in dropped]
    name = f"{len(chosen)} of {len(kept)} captured crops"
    return CapturedCrops(state, chosen, f"{name}; {len(apart)} people left out for the gates" if apart else name)


def tell(kept: Sequence[Kept], settings: Capture) -> dict[str, Any]:
    """What the table of captured crops holds, as JSON types."""
    strata = Counter((quality_band(one.quality), light_band(one.light), one.person is None) for one in kept)
    bands = sorted({(quality, light) for quality, light, _ in strata})
    people = Counter(one.person for one in kept if one.person is not None)
    days = [one.created for one in kept]
    return {
        "on": settings.on, "crops": len(kept), "most": settings.crops, "days": settings.days,
        "people": len(people), "most_of_one": max(people.values(), default=0), "strangers": len(kept) - people.total(),
        "oldest": _day(min(days)) if days else None, "newest": _day(max(days)) if days else None,
        "alignments": dict(sorted(Counter(one.alignment for one in kept).items())),
        "strata": [
            {
                "quality": quality, "light": light, "people": strata[quality, light, False],
                "strangers": strata[quality, light, True],
            }
            for quality, light in bands
        ],
    }  # fmt: skip


def _set_apart(people: Sequence[str], seed: int) -> frozenset[str]:
    if len(people) < FEW_PEOPLE:
        return frozenset()
    drawn = np.random.default_rng(seed).choice(len(people), max(2, round(APART * len(people))), replace=False)
    return frozenset(people[at] for at in drawn)


def _day(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%d")
