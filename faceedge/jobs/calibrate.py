"""INT8 calibration that proves itself: pictures in; a package with its verdict, its report and the choice of what
serves best here out.

Run by `faceedge calibrate`. Every step that was finished is remembered, so that an interrupted calibration goes on.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace

import numpy as np

from faceedge.config import EngineSettings
from faceedge.errors import BadInput
from faceedge.jobs import choose_precision as precision
from faceedge.jobs.calibration.bench import Bench
from faceedge.jobs.calibration.case import Case, Order, case_of, eyes_of, source_of
from faceedge.jobs.calibration.eyes import open_engine
from faceedge.jobs.calibration.gather import Embedder, Gathered, gather
from faceedge.jobs.calibration.recipe import Recipe
from faceedge.jobs.calibration.report import Story
from faceedge.jobs.calibration.resume import RememberedBench, RememberedJudge
from faceedge.jobs.calibration.search import Build, Limits, Search
from faceedge.jobs.calibration.source import Source
from faceedge.jobs.calibration.split import Split, split_of
from faceedge.jobs.calibration.state import Steps, key_of, opened_steps
from faceedge.jobs.calibration.write import label_of, write
from faceedge.jobs.site import Site
from faceedge.models.place import check_free
from faceedge.package import Package
from faceedge.quantize.fast import write_fast
from faceedge.quantize.gates import verdict
from faceedge.quantize.imageset import SetReport, check_set
from faceedge.quantize.observe import spread_rows

Progress = Callable[[str, float], None]
FAST_ON = 64
"""Images from which the form for ONNX Runtime takes the ranges of outputs."""
REVISION = 1
"""Raised when the same pictures and options would give another graph: what was remembered is then of no use."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """source: the float package. package: the new one, also when its gates failed. looked: at the set. shown: what the
    gates saw, in words. images: how many calibrated. choice: what serves best here; None after a failure."""

    source: Package
    package: Package
    looked: SetReport
    shown: str
    images: int
    build: Build
    choice: precision.Choice | None

    @property
    def passed(self) -> bool:
        return self.build.judged.verdict.passed


def calibrate(
    order: Order, site: Site, settings: EngineSettings, tell: Progress, recipe: Recipe | None = None
) -> Calibrated:
    """recipe: in place of the installed one. Raises BadInput for words that cannot be and for sets that are refused,
    PackageError, StoreError, EngineError; what was finished by then is remembered."""
    case = case_of(order, site, settings, tell, recipe)
    check_free(label_of(case.package), site.state, replace=order.replace)
    with opened_steps(site.state, case.package.build) as steps:
        eyes = eyes_of(case, steps, tell)
        with nullcontext() if eyes is None else closing(eyes):
            source = source_of(case, eyes)
            gathered = _gathered(source, case, _part(tell, 0.0, 0.35))
            looked = _looked(gathered, source, case)
            split = split_of(case, source, gathered, looked, eyes, _part(tell, 0.35, 0.5))
            build = _built(case, split, looked, steps, _part(tell, 0.5, 0.9))
            tell("timing what passed on this machine", 0.9)
            choice = _chosen(case, build, split) if build.judged.verdict.passed else None
        tell("writing the package", 0.97)
        placed = write(Story(case, split, looked, build, choice, _today()))
        if choice is not None:
            precision.remember(choice, site.state)
        steps.clear()
    return Calibrated(case.package, placed, looked, split.shown, len(split.digests), build, choice)


def _gathered(source: Source, case: Case, tell: Progress) -> Gathered:
    if case.is_detector:
        return gather(source, None, tell)
    engine = open_engine(case.package.fast_graph, case.package.manifest, case.settings)
    with closing(engine):
        return gather(source, Embedder(engine, case.package.manifest), tell)


def _looked(gathered: Gathered, source: Source, case: Case) -> SetReport:
    """Raises BadInput for a set that is not fit to calibrate."""
    fit, metric = case.package.fit, case.package.manifest.metric
    match = gathered.as_cosine(fit.thresholds.match, metric) if fit else None
    looked = check_set(gathered.facts, "detector" if case.is_detector else "recognizer", case.recipe.floors, match)
    if looked.refused:
        raise BadInput(f"the calibration images are refused: {looked.refused}")
    unread = len(getattr(source, "unreadable", ()))
    remarks = (f"{unread} files could not be read and are left out",) if unread else ()
    return looked.model_copy(update={"remarks": looked.remarks + remarks})


def _built(case: Case, split: Split, looked: SetReport, steps: Steps, tell: Progress) -> Build:
    package, recipe = case.package, case.recipe
    key = key_of(REVISION, package.build, sorted(split.digests), recipe.pixels)
    ranges = steps.folder / f"ranges-{key}"
    bench = RememberedBench(lambda: Bench(package.graph, split.batches, ranges, tell), steps, key)
    judge = RememberedJudge(split.judge, steps, split.key)
    search = Search(bench, judge, steps.folder, looked.remarks, tell)
    build = search.run(recipe.methods, Limits(recipe.budget_s, recipe.most_float))
    judged = judge.whole(build.made.graph, build.judged)
    tell("looking for oddities", 0.98)
    odd = (*looked.remarks, *bench.oddities(build.made.graph, split.met))
    judged = replace(judged, verdict=verdict(judged.verdict.findings, odd))
    return _with_fast(replace(build, judged=judged), case, split, steps, odd)


def _with_fast(build: Build, case: Case, split: Split, steps: Steps, odd: tuple[str, ...]) -> Build:
    """With the form for this CPU beside it, where there is one that passes the same gates."""
    if not build.judged.verdict.passed or case.settings.providers != ("cpu",):
        return build
    target = steps.folder / "fast.onnx"
    images = spread_rows(split.batches(), len(split.digests), FAST_ON)
    if not write_fast(build.made.graph, target, images):
        return build
    judged = split.judge.judge(target, odd)
    return replace(build, judged=judged, fast=target) if judged.verdict.passed else build


def _chosen(case: Case, build: Build, split: Split) -> precision.Choice:
    """Times float and the new build, and decides; what was asked for on the command line counts."""
    package, wanted, label = case.package, case.order.precision, label_of(case.package)
    kind: precision.Precision = "mixed" if build.returned else "int8"
    candidates = (
        precision.Candidate(package.label, "fp32", package.fast_graph),
        precision.Candidate(label, kind, build.fast or build.made.graph),
    )
    picture = np.ascontiguousarray(next(split.batches())[:1])
    timings = precision.time_all(candidates, package.manifest, picture, case.settings)
    best, chosen, why = precision.choose(timings, case.recipe.worth)
    if wanted != "auto":
        best, chosen = (label, kind) if wanted == "int8" else (package.label, "fp32")
        why = f"asked for with --precision {wanted}; by speed alone: {why}"
    return precision.Choice(
        device=precision.device_words(case.settings), source=package.build, package=best, precision=chosen, why=why,
        date=_today(), timings=timings,
    )  # fmt: skip


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone.utc).date()


def _part(tell: Progress, low: float, high: float) -> Progress:
    """Progress of one step as a part of the whole."""
    return lambda text, share: tell(text, low + (high - low) * min(1.0, share))
