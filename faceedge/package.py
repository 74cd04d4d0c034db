"""A model package: a folder with `model.onnx`, `model.toml` (what it is) and `fit.toml` (numbers fitted to it).

Read by everything that opens a network. `space` and `build` are derived here and nowhere else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from faceedge.errors import PackageError
from faceedge.toml import read_toml

Role = Literal["detector", "recognizer"]


class Part(BaseModel):
    """Base of every table in model.toml and fit.toml: unknown keys and numbers that are none are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Normalisation(Part):
    """tensor = (pixel - mean) * scale, channels in `colour` order; pixels are 0..255."""

    colour: Literal["bgr", "rgb"]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0


class InputSize(Part):
    """Network input in px; 0 is free (the canvas decides)."""

    width: int = Field(0, ge=0, le=8192)
    height: int = Field(0, ge=0, le=8192)


class Source(Part):
    """Where the weights came from. sha256: of the float source graph or file, kept through rewrites."""

    url: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    note: str = ""


class Manifest(Part):
    """model.toml. `landmarks`: detector's landmark scheme; `alignment`, `metric`: recogniser's."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    version: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    role: Role
    family: str
    input: InputSize = InputSize()
    normalisation: Normalisation
    source: Source
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    max_batch: int = Field(16, ge=1, le=256)
    landmarks: str = ""
    alignment: str = ""
    metric: Literal["cosine", "euclidean"] = "cosine"
    score_threshold: float = 0.0
    nms_iou: float = Field(0.4, ge=0, le=1)
    dimension: int = Field(0, ge=0, le=4096)


class Thresholds(Part):
    """Raw similarity at which a pair is worth a second factor, is a match, is a match even in poor light."""

    grey: float
    match: float
    strict: float

    @model_validator(mode="after")
    def _rise(self) -> Thresholds:
        if not self.grey <= self.match <= self.strict:
            raise ValueError(f"grey ({self.grey}), match ({self.match}) and strict ({self.strict}) must not fall")
        return self


class Fit(Part):
    """fit.toml: numbers fitted to this build, each with its evidence in words."""

    thresholds: Thresholds
    evidence: str
    door: Literal["match", "strict"] = "match"
    """What a door demands. A search compares with everybody enrolled, so a threshold fitted on single pairs whose
    false matches are not rare leaves doors to `strict`."""
    look_alike: float | None = None
    """Raw similarity at ten times the false-match rate of `match`: who is nearer than this to somebody enrolled is
    pointed out by name. Without it, the grey threshold."""

    @model_validator(mode="after")
    def _look_alike_is_below_match(self) -> Fit:
        if self.look_alike is not None and self.look_alike > self.thresholds.match:
            raise ValueError(f"look_alike ({self.look_alike}) must not be above match ({self.thresholds.match})")
        return self

    @property
    def look_alike_score(self) -> float:
        """`look_alike`, or what stands in for it."""
        return self.thresholds.grey if self.look_alike is None else self.look_alike

    @property
    def door_thresholds(self) -> Thresholds:
        """The thresholds that decide at a door. With `strict` every level moves up by one: what a pair of photos
        would pass as a match is worth a second factor only."""
        levels = self.thresholds
        if self.door == "match":
            return levels
        return Thresholds(grey=levels.match, match=levels.strict, strict=levels.strict)


@dataclass(frozen=True, slots=True)
class Package:
    """A package on disk that has been read and checked against its manifest, not yet opened.

    space: embeddings compare only within one space. build: names the exact graph and precision.
    """

    folder: Path
    manifest: Manifest
    fit: Fit | None
    space: str
    build: str

    @property
    def graph(self) -> Path:
        return self.folder / "model.onnx"

    @property
    def label(self) -> str:
        return f"{self.manifest.name}@{self.manifest.version}"


def read_package(folder: Path) -> Package:
    """Reads and checks a package folder. Raises PackageError with the file and the fault."""
    manifest = _read_part(folder / "model.toml", Manifest)
    graph = folder / "model.onnx"
    if not graph.is_file():
        raise PackageError(f"{folder}: model.onnx is missing; add the package again")
    fit = _read_part(folder / "fit.toml", Fit) if (folder / "fit.toml").exists() else None
    if manifest.role == "recognizer" and fit is None:
        raise PackageError(f"{folder}: fit.toml is missing; a recogniser without thresholds cannot decide")
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    return Package(folder, manifest, fit, space_of(manifest), _short(digest, manifest.precision))


def space_of(manifest: Manifest) -> str:
    """First 12 hex digits over the float source, the alignment and the preprocessing (design: Model package)."""
    return _short(
        manifest.source.sha256, manifest.alignment, manifest.metric,
        manifest.normalisation.model_dump_json(), manifest.input.model_dump_json(),
    )  # fmt: skip


def _read_part(path: Path, part: type[Any]) -> Any:
    try:
        return part.model_validate(read_toml(path, PackageError, "add the package again"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        raise PackageError(f"{path}: {key}: {first['msg'].lower()}; mend the manifest") from error


def _short(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
