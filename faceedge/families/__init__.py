"""Detector families: how each kind of network wants its input and how its outputs are read."""

from __future__ import annotations

from collections.abc import Callable

from faceedge.errors import PackageError
from faceedge.families.base import DetectorFamily
from faceedge.families.mmod import Mmod
from faceedge.families.retinaface import Retinaface
from faceedge.families.scrfd import Scrfd
from faceedge.families.yunet import Yunet
from faceedge.manifest import Manifest

FAMILIES: dict[str, Callable[[Manifest], DetectorFamily]] = {
    "mmod": Mmod,
    "retinaface": Retinaface,
    "scrfd": Scrfd,
    "yunet": Yunet,
}
FAMILY_OUTPUTS: dict[str, tuple[str, ...]] = {
    "mmod": Mmod.outputs,
    "retinaface": Retinaface.outputs,
    "scrfd": Scrfd.outputs,
    "yunet": Yunet.outputs,
}
"""What each family calls the outputs that it needs; a manifest's `outputs` gives the graph's names for them."""


def detector_family(manifest: Manifest) -> DetectorFamily:
    """The family that reads a detector. Raises PackageError when nobody knows it."""
    family = FAMILIES.get(manifest.family)
    if family is None:
        known = ", ".join(sorted(FAMILIES))
        raise PackageError(f"{manifest.name}: unknown detector family {manifest.family!r}; known are {known}")
    return family(manifest)
