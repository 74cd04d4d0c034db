"""The tables of `model.toml`: what a package is, how its network is fed, where it came from. Pure."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Role = Literal["detector", "recognizer", "quality"]
SPOKEN: dict[Role, str] = {"detector": "detector", "recognizer": "recogniser", "quality": "quality network"}
Numbers = tuple[float, float, float]
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
