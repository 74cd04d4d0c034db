"""The report of a calibration: everything by number in report.json, and the page report.html made of it.

Written beside the package by whoever builds it, read back by the model commands. People are counts and numbers in it,
never names.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from faceedge.errors import BadInput, MissingExtra, PackageError
from faceedge.files import write_whole
from faceedge.manifest import SHA256, Calibration, Part
from faceedge.quantize.gates import Gates, Verdict
from faceedge.quantize.imageset import SetReport
from faceedge.quantize.summaries import ErrorCurve, Histogram, ScoreSummary
from faceedge.quantize.thresholds import Level

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
MAX_BYTES = 10_000_000


class Point(Part):
    """One step of the sensitivity search. kept_float: share of the multiply-adds left in float; score: what the gates
    look at, the mean cosine of a recogniser, the F1 of a detector. nodes: names of those put back to float so far."""

    kept_float: float = Field(ge=0, le=1)
    score: float
    nodes: tuple[str, ...] = ()


class Candidate(Part):
    """One build that was timed. ms: median, and quartiles. passed: its gates; None for float."""

    name: str
    ms: float = Field(ge=0)
    quartiles: tuple[float, float]
    kept_float: float = Field(ge=0, le=1)
    weight_bytes: int = Field(0, ge=0)
    passed: bool | None = None
    chosen: bool = False


class Report(Part):
    """report.json. Version 1; a reader refuses another.

    package: `name@version` of the build. source: sha256 of the float graph; graph: of the INT8 one. dropped: people
    left out of the gates because the calibration set shows them. why: the choice among the candidates, in words.
    """

    version: Literal[1] = 1
    package: str
    role: Literal["detector", "recognizer"]
    source: str = Field(pattern=SHA256)
    graph: str = Field(pattern=SHA256)
    made: datetime.date
    machine: str = ""
    method: str
    seed: int = Field(ge=0)
    kept_float: float = Field(ge=0, le=1)
    images: SetReport
    gates: Gates
    verdict: Verdict
    dropped: int = Field(0, ge=0)
    levels: tuple[Level, ...] = ()
    cosines: Histogram | None = None
    landmarks: Histogram | None = None
    scores: ScoreSummary | None = None
    errors: ErrorCurve | None = None
    sensitivity: Annotated[tuple[Point, ...], Field(max_length=1000)] = ()
    candidates: Annotated[tuple[Candidate, ...], Field(max_length=20)] = ()
    why: str = ""

    def calibration(self, digest: str) -> Calibration:
        """The record for the manifest. digest: sha256 of report.json, as `write_report` gave it."""
        return Calibration(
            sha256=self.images.digest, date=self.made, images=self.images.used, method=self.method, seed=self.seed,
            verdict="passed" if self.verdict.passed else "failed", kept_float=self.kept_float, report_sha256=digest,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorstPair:
    """A pair that INT8 moved most, shown only on request. one, other: PNG files of the crops; people: their numbers."""

    one: bytes
    other: bytes
    people: tuple[int, int]
    source: float
    build: float


def write_report(report: Report, folder: Path, worst: Sequence[WorstPair] = ()) -> str:
    """Writes report.json and report.html whole; returns the sha256 of report.json.

    Without matplotlib the page says what to install for its plots. Raises BadInput when it cannot write.
    """
    from faceedge.quantize.plots import drawn
    from faceedge.quantize.report_html import page

    try:
        plots, missing = drawn(report), ""
    except MissingExtra as error:
        plots, missing = {}, str(error)
    content = (report.model_dump_json(indent=1) + "\n").encode()
    try:
        write_whole(folder / REPORT_JSON, content)
        write_whole(folder / REPORT_HTML, page(report, plots, worst, missing).encode())
    except OSError as error:
        raise BadInput(f"{folder}: the report cannot be written ({error.strerror}); name another folder") from error
    return hashlib.sha256(content).hexdigest()


def read_report(folder: Path, digest: str = "") -> Report:
    """The report beside a package. digest: what the manifest noted. Raises PackageError with the fault."""
    path = folder / REPORT_JSON
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PackageError(f"{path}: larger than a report can be; calibrate again")
        content = path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: cannot be read ({error.strerror}); calibrate again") from error
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise PackageError(f"{path}: changed since the calibration; calibrate again")
    try:
        return Report.model_validate_json(content)
    except ValidationError as error:
        key = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise PackageError(f"{path}: {key or 'file'}: {error.errors()[0]['msg'].lower()}; calibrate again") from error
