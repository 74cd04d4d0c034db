"""Does a manifest say what its graph is: input, outputs, dimension? Pure."""

from __future__ import annotations

from collections.abc import Sequence

from faceedge.backends.base import TensorSpec
from faceedge.errors import PackageError
from faceedge.families import FAMILY_OUTPUTS
from faceedge.manifest import Manifest

OUTPUTS = FAMILY_OUTPUTS | {"quality": ("quality",)}
EMBEDDING = "embedding"


def check_agreement(manifest: Manifest, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
    """Raises PackageError with the key of model.toml that does not fit."""
    if len(inputs) != 1 or inputs[0].dtype != "float32" or len(inputs[0].shape) != 4:
        raise PackageError(f"{manifest.name}: the graph does not take one float32 input [n, 3, h, w]; export it so")
    _check_size(manifest, inputs[0].shape)
    names = {spec.name: spec for spec in outputs}
    wanted = [*OUTPUTS.get(manifest.family, ()), *manifest.outputs]
    for name in wanted:
        if manifest.output(name) not in names:
            there = ", ".join(list(names)[:12])
            raise PackageError(
                f"{manifest.name}: outputs: the graph has no {manifest.output(name)!r} to be {name!r}; it has {there}"
            )
    if manifest.role == "recognizer":
        _check_dimension(manifest, names.get(manifest.output(EMBEDDING), outputs[0]))


def _check_size(manifest: Manifest, shape: Sequence[int]) -> None:
    _, channels, height, width = shape
    size = manifest.input
    if channels not in (3, -1):
        raise PackageError(f"{manifest.name}: the graph takes {channels} channels, not 3; it is no network for photos")
    for key, said, found in (("width", size.width, width), ("height", size.height, height)):
        if found not in (-1, said):
            raise PackageError(
                f"{manifest.name}: input.{key}: {said or 'free'} px, but the graph takes {found} px only"
            )
    if size.fixed and -1 in (width, height):
        raise PackageError(f"{manifest.name}: input.fixed: true, but the graph takes any size; take the line out")
    if manifest.role == "detector" and width != -1 and not size.fixed:
        raise PackageError(f"{manifest.name}: input.fixed: false, but the graph takes {width}x{height} px only")


def _check_dimension(manifest: Manifest, embedding: TensorSpec) -> None:
    found = embedding.shape[-1] if embedding.shape else 0
    if manifest.dimension and found not in (-1, manifest.dimension):
        raise PackageError(
            f"{manifest.name}: dimension: {manifest.dimension}, but the graph's {embedding.name!r} has {found} numbers"
        )
