"""Detector families: how each kind of network wants its input and how its outputs are read."""

from __future__ import annotations

from collections.abc import Callable

from faceedge.errors import PackageError
from faceedge.families.base import DetectorFamily
from faceedge.families.mmod import Mmod
from faceedge.families.yunet import Yunet
from faceedge.package import Manifest

FAMILIES: dict[str, Callable[[Manifest], DetectorFamily]] = {"mmod": Mmod, "yunet": Yunet}


def detector_family(manifest: Manifest) -> DetectorFamily:
    """The family that reads a detector. Raises PackageError when nobody knows it."""
    family = FAMILIES.get(manifest.family)
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        raise PackageError(f"{manifest.name}: unknown detector family {manifest.family!r}; known are {known}")
    return family(manifest)
