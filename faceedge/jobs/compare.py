"""Two photos in, a verdict out: the same person, somebody else, or not to be told from these pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from faceedge.decide import TRUSTED_QUALITY, USABLE_QUALITY
from faceedge.errors import BadInput
from faceedge.fit import Thresholds
from faceedge.jobs.photos import read_photo, shown

if TYPE_CHECKING:
    from faceedge.jobs.enroll import Eyes
    from faceedge.jobs.vision import Portrait

Verdict = Literal["match", "grey", "no_match", "untrusted"]


def largest_face(eyes: Eyes, path: Path) -> Portrait:
    """The largest face of a photo. Raises BadInput when the photo cannot be read or shows none."""
    portraits = eyes.portraits(read_photo(path))
    if not portraits:
        raise BadInput(f"{shown(path)}: no face found; use a photo that shows the face large and from the front")
    return portraits[0]


def verdict(similarity: float, quality: float, thresholds: Thresholds) -> Verdict:
    """quality: of the poorer picture. Poor pictures say nothing; middling ones only what is beyond doubt."""
    if not quality >= USABLE_QUALITY:
        return "untrusted"
    if not similarity >= thresholds.grey:
        return "no_match"
    if similarity < thresholds.match:
        return "grey"
    return "match" if quality >= TRUSTED_QUALITY or similarity >= thresholds.strict else "untrusted"
