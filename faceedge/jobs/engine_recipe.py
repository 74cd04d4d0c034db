"""`engines/<role>.toml`, installed or of the site, and a package in; the options of its TensorRT build out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from faceedge import align
from faceedge.backends.base import TensorSpec
from faceedge.backends.fingerprint import BuildOptions, Precision, Shapes, Typing
from faceedge.errors import EngineError
from faceedge.families import detector_family
from faceedge.jobs.proof import doubt
from faceedge.jobs.recipes import read_recipe_of
from faceedge.manifest import Part, Role
from faceedge.package import Package

SITE = Path("/etc/faceedge/engines")
"""A recipe that lies here takes the place of the installed one, whole."""


def _sides(sizes: tuple[int, int]) -> tuple[int, int]:
    if not all(16 <= side <= 8192 for side in sizes):
        raise ValueError("sides are 16 to 8192 px")
    return sizes


Size = Annotated[tuple[int, int], AfterValidator(_sides)]


class Batch(Part):
    """How many rows at a time; TensorRT is fastest at `usual`."""

    smallest: int = Field(1, ge=1, le=256)
    usual: int = Field(1, ge=1, le=256)
    largest: int = Field(8, ge=1, le=256)

    @model_validator(mode="after")
    def _rises(self) -> Batch:
        if not self.smallest <= self.usual <= self.largest:
            raise ValueError("smallest, usual and largest must rise")
        return self


class Frame(Part):
    """Frames of the cameras, width x height in px."""

    smallest: Size = (160, 120)
    usual: Size = (1280, 720)
    largest: Size = (1920, 1080)

    @model_validator(mode="after")
    def _rises(self) -> Frame:
        if not all(a <= b <= c for a, b, c in zip(self.smallest, self.usual, self.largest, strict=True)):
            raise ValueError("smallest, usual and largest must rise")
        return self


class Recipe(Part):
    """package: which one `faceedge build` takes; empty: the one that serves. workspace_mib: that a kernel may use while
    it runs. frame: of a detector."""

    package: str = Field("", max_length=200)
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    workspace_mib: int = Field(256, ge=16, le=65_536)
    optimisation_level: int = Field(3, ge=0, le=5)
    batch: Batch = Batch()
    frame: Frame = Frame()


def read_recipe(role: Role, site: Path | None = None) -> tuple[Recipe, Path]:
    """The recipe of a role, and where it lies. Raises BadInput with file, key and fault."""
    return read_recipe_of("engines", role, site or SITE, Recipe)


def build_options(package: Package, recipe: Recipe, spec: TensorSpec, typing: Typing) -> BuildOptions:
    """spec: of the network's input. typing: TensorRT's. Raises EngineError when recipe and package do not go
    together."""
    return BuildOptions(
        precision=precision_of(package, recipe, typing), profile={spec.name: profile_of(package, recipe, spec)},
        workspace_mib=recipe.workspace_mib, optimisation_level=recipe.optimisation_level,
    )  # fmt: skip


def precision_of(package: Package, recipe: Recipe, typing: Typing) -> Precision:
    """INT8 only for a package whose calibration has passed, and nothing else for such a one: its graph is rounded.
    With strong typing the graph's own precision is the only one. Raises EngineError."""
    own = package.manifest.precision
    if own == "int8" and (why := doubt(package)):
        raise EngineError(f"{package.label} {why}; TensorRT runs INT8 only after its gates have passed")
    possible: tuple[Precision, ...] = (own,)
    if own != "int8" and typing == "weak":
        possible = ("fp16", "fp32")  # the first is what auto takes
    if recipe.precision == "auto":
        return possible[0]
    if recipe.precision in possible:
        return recipe.precision
    raise EngineError(
        f"{package.label} is {own}: this TensorRT can run it as {' or '.join(possible)}, the recipe of its role says "
        f"{recipe.precision}; write auto there"
    )


def profile_of(package: Package, recipe: Recipe, spec: TensorSpec) -> Shapes:
    """Smallest, usual and largest shape of the input (n, 3, height, width). Raises EngineError."""
    if len(spec.shape) != 4:
        raise EngineError(f"{package.label}: the input {spec.name!r} is no batch of pictures; ONNX Runtime runs it")
    most = package.manifest.max_batch
    batches = [min(most, count) for count in (recipe.batch.smallest, recipe.batch.usual, recipe.batch.largest)]
    if spec.shape[0] != -1:
        batches = [spec.shape[0]] * 3
    sizes = [_fixed(spec, size) for size in _sizes(package, recipe)]
    sizes[0] = tuple(map(min, *sizes))  # a canvas need not grow with both sides
    sizes[2] = tuple(map(max, *sizes))
    low, best, high = [(count, 3, height, width) for count, (height, width) in zip(batches, sizes, strict=True)]
    return low, best, high


def _sizes(package: Package, recipe: Recipe) -> list[tuple[int, int]]:
    """(height, width) that the flow gives the network."""
    manifest = package.manifest
    if manifest.role != "detector":
        crop = align.crop_spec(manifest.alignment)
        return [(crop.height, crop.width)] * 3
    family = detector_family(manifest)
    frames = (recipe.frame.smallest, recipe.frame.usual, recipe.frame.largest)
    canvases = [family.canvas(height, width) for width, height in frames]
    return [(canvas.height, canvas.width) for canvas in canvases]


def _fixed(spec: TensorSpec, size: tuple[int, int]) -> tuple[int, int]:
    """A size that the graph lays down is the only one."""
    height, width = (said if said != -1 else free for said, free in zip(spec.shape[2:], size, strict=True))
    return height, width
