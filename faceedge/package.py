"""A model package: a folder with `model.onnx`, `model.toml` (what it is) and `fit.toml` (numbers fitted to it).

Read by everything that opens a network. `space` and `build` are derived here and nowhere else. `onnxruntime.onnx`,
where there is one, is the same network in a form that ONNX Runtime runs faster; TensorRT takes `model.onnx`.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from faceedge.errors import PackageError, one_line
from faceedge.toml import read_toml

Role = Literal["detector", "recognizer", "quality"]
Numbers = tuple[float, float, float]
GRAPH, FAST_GRAPH, MANIFEST, FIT = "model.onnx", "onnxruntime.onnx", "model.toml", "fit.toml"
SHA256 = r"^[0-9a-f]{64}$"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not one line of printable letters")
    return text


Line = Annotated[str, Field(max_length=400), AfterValidator(_printable)]
"""Words of a package that are shown on a terminal: whoever made it must not write there as they like."""


class Part(BaseModel):
    """Base of every table in model.toml and fit.toml: unknown keys and numbers that are none are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Normalisation(Part):
    """tensor = (pixel - mean) * scale, channels and their numbers in `colour` order; pixels are 0..255."""

    colour: Literal["bgr", "rgb"]
    mean: Numbers = (0.0, 0.0, 0.0)
    scale: float | Numbers = 1.0

    @property
    def scales(self) -> Numbers:
        """One scale a channel."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale, self.scale, self.scale)


class InputSize(Part):
    """Network input in px; 0 is free (the canvas decides). A detector's size is the largest canvas it is given;
    with `fixed` it is the only one that the graph takes."""

    width: int = Field(0, ge=0, le=8192)
    height: int = Field(0, ge=0, le=8192)
    fixed: bool = False


class Source(Part):
    """Where the weights came from. sha256: of the float source graph or file, kept through rewrites."""

    url: str = ""
    sha256: str = Field(pattern=SHA256)
    licence: Line
    note: str = ""


class Graph(Part):
    """One ONNX file of the package. changes: what was done to the source to get it, in words; difference: the largest
    between its outputs and the source's on the self-test picture."""

    sha256: str = Field(pattern=SHA256)
    changes: tuple[Line, ...] = ()
    difference: float = Field(0.0, ge=0)


class Answer(Part):
    """What the source answered in one output: its shape, and values evenly spaced over the flat array."""

    shape: tuple[int, ...]
    values: tuple[float, ...]


class SelfTest(Part):
    """A picture that a formula makes (`models.selftest`), and what the source answers to it, by output."""

    picture: Literal["waves-1"] = "waves-1"
    width: int = Field(ge=1, le=8192)
    height: int = Field(ge=1, le=8192)
    outputs: dict[str, Answer] = Field(min_length=1)


class Calibration(Part):
    """How an INT8 graph was made and what its gates said.

    sha256: over the digests of the calibration images, sorted; images: how many were used; kept_float: share of the
    multiply-adds that stayed in float; report_sha256: of the report.json beside the graph.
    """

    sha256: str = Field(pattern=SHA256)
    date: datetime.date
    images: int = Field(ge=1)
    method: str = Field(min_length=1, max_length=200)
    seed: int = Field(ge=0)
    verdict: Literal["passed", "failed"]
    kept_float: float = Field(ge=0, le=1)
    report_sha256: str = Field(pattern=SHA256)


class Manifest(Part):
    """model.toml. `landmarks`: detector's landmark scheme; `alignment`: of every network that takes face crops;
    `metric`: recogniser's.

    outputs: what the family calls an output -> what the graph calls it, where the two differ.
    plain: of model.onnx; fast: of onnxruntime.onnx; calibration: of an INT8 graph.
    """

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
    outputs: dict[str, str] = {}
    plain: Graph | None = None
    fast: Graph | None = None
    selftest: SelfTest | None = None
    calibration: Calibration | None = None

    @property
    def strays(self) -> bool:
        """An INT8 graph whose own gates have not passed: nobody has shown that it answers as its source does."""
        passed = self.plain is not None and self.calibration is not None and self.calibration.verdict == "passed"
        return self.precision == "int8" and not passed

    def output(self, name: str) -> str:
        """What the graph calls the output that the family calls `name`."""
        return self.outputs.get(name, name)


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


class QualityHead(Part):
    """Raw output of a network to quality 0..1: straight lines between the knots (raw, quality), level outside."""

    knots: tuple[tuple[float, float], ...] = Field(min_length=2, max_length=32)

    @model_validator(mode="after")
    def _is_a_function(self) -> QualityHead:
        if any(a >= b for (a, _), (b, _) in itertools.pairwise(self.knots)):
            raise ValueError("the raw values of the knots must rise")
        if not all(0 <= quality <= 1 for _, quality in self.knots):
            raise ValueError("the qualities of the knots must lie in 0..1")
        return self

    def quality(self, raw: float) -> float:
        """0..1; a raw value that is not finite is worth nothing."""
        if not math.isfinite(raw):
            return 0.0
        raws, qualities = np.array(self.knots).T
        return float(np.interp(raw, raws, qualities))


class QualityFit(Part):
    """fit.toml of a quality network."""

    quality: QualityHead
    evidence: str


class Fit(Part):
    """fit.toml of a recogniser: numbers fitted to this build, each with its evidence in words."""

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

    space: embeddings compare only within one space. build: names the exact graph that ONNX Runtime runs, and its
    precision. fit: a recogniser's; head: a quality network's.
    """

    folder: Path
    manifest: Manifest
    fit: Fit | None
    space: str
    build: str
    head: QualityHead | None = None

    @property
    def graph(self) -> Path:
        """The plain form, which every backend takes."""
        return self.folder / GRAPH

    @property
    def fast_graph(self) -> Path:
        """What ONNX Runtime runs: the rewritten form where there is one."""
        return self.folder / FAST_GRAPH if self.manifest.fast else self.graph

    @property
    def label(self) -> str:
        return f"{self.manifest.name}@{self.manifest.version}"


def read_package(folder: Path) -> Package:
    """Reads and checks a package folder. Raises PackageError with the file and the fault."""
    manifest = _read_part(folder / MANIFEST, Manifest)
    fit, head = _read_fit(folder, manifest)
    digest = _checked(folder / GRAPH, manifest.plain)
    space = space_of(manifest, digest)
    if manifest.fast is not None:
        digest = _checked(folder / FAST_GRAPH, manifest.fast)
    return Package(folder, manifest, fit, space, _short(digest, manifest.precision), head)


def _read_fit(folder: Path, manifest: Manifest) -> tuple[Fit | None, QualityHead | None]:
    path = folder / FIT
    if manifest.role == "detector":
        return None, None
    if not path.exists():
        missing = {
            "recognizer": "a recogniser without thresholds cannot decide",
            "quality": "a quality network without a head says nothing",
        }
        raise PackageError(f"{folder}: {FIT} is missing; {missing[manifest.role]}")
    if manifest.role == "quality":
        return None, _read_part(path, QualityFit).quality
    return _read_part(path, Fit), None


def _checked(path: Path, noted: Graph | None) -> str:
    """Digest of a graph, which must be what the manifest noted."""
    if not path.is_file():
        raise PackageError(f"{path.parent}: {path.name} is missing; add the package again")
    with path.open("rb") as file:
        digest = _sha256(file)
    if noted is not None and digest != noted.sha256:
        raise PackageError(f"{path}: damaged or changed since it was added; add the package again")
    return digest


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def space_of(manifest: Manifest, graph: str) -> str:
    """First 12 hex digits over the float source, the alignment and the preprocessing (design: Model package).

    graph: digest of model.onnx. An INT8 graph whose gates failed or are missing has a space of its own, so that its
    embeddings are never compared with its source's.
    """
    own = (graph,) if manifest.strays else ()
    return _short(
        manifest.source.sha256, manifest.alignment, manifest.metric,
        manifest.normalisation.model_dump_json(), manifest.input.model_dump_json(include={"width", "height"}), *own,
    )  # fmt: skip


def as_toml(part: Part) -> str:
    """The text of a model.toml or fit.toml."""
    return tomli_w.dumps(part.model_dump(exclude_none=True))


def _read_part(path: Path, part: type[Any]) -> Any:
    try:
        return part.model_validate(read_toml(path, PackageError, "add the package again"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        fault = one_line(f"{key}: {first['msg'].removeprefix('Value error, ').lower()}", 250)
        raise PackageError(f"{path}: {fault}; mend the manifest") from error


def _short(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
