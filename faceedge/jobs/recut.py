"""A kept picture of a face, cut for one recogniser, as another one wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from faceedge import align
from faceedge.types import Face, Image


class Cutter(Protocol):
    """What is needed of `jobs.vision.Vision`."""

    @property
    def alignment(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    def crops(self, image: Image, faces: Sequence[Face]) -> list[Image]: ...


def recut(eyes: Cutter, crop: Image) -> Image | None:
    """uint8 BGR of the recogniser's size: of the same alignment as it is, else cut anew. None when its size tells no
    alignment that is known.

    The face is not searched for: its points lie where the old alignment has put them, as near as it could.
    """
    old = align.of_crop(crop.shape[0], crop.shape[1])
    if old is None or old == eyes.alignment:
        return None if old is None else crop
    return eyes.crops(crop, [placed(old, eyes.scheme)])[0]


def placed(alignment: str, scheme: str) -> Face:
    """The face of a crop of this alignment, with the points of a scheme where it puts them. Raises PackageError."""
    align.check(scheme, alignment)
    spec = align.crop_spec(alignment)
    points = np.array(align.ALIGNMENTS[alignment].templates[scheme], np.float32)
    return Face(np.array([0, 0, spec.width, spec.height], np.float32), 1.0, points)
