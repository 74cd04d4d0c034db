"""What a calibration came to, as the report that lies beside the package."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from faceedge.health.machine import machine_name
from faceedge.jobs.calibration.case import Case
from faceedge.jobs.calibration.search import Build
from faceedge.jobs.calibration.split import Split
from faceedge.jobs.choose_precision import Choice
from faceedge.quantize.boxes import Agreement
from faceedge.quantize.findings import Recognised
from faceedge.quantize.imageset import SetReport, set_digest
from faceedge.quantize.report import Candidate, Point, Report
from faceedge.quantize.summaries import cosine_histogram, error_curve, error_histogram, score_summary


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """Everything there is to tell. choice: None after a failure."""

    case: Case
    split: Split
    looked: SetReport
    build: Build
    choice: Choice | None
    made: datetime.date


def report_of(story: Story, label: str, graph: str) -> Report:
    """label: of the new package. graph: sha256 of its graph."""
    case, build, judged = story.case, story.build, story.build.judged
    used = {"used": len(story.split.digests), "digest": set_digest(story.split.digests)}
    return Report(
        package=label, role="detector" if case.is_detector else "recognizer",
        source=case.package.manifest.source.sha256, graph=graph, made=story.made, machine=machine_name(),
        method=method_words(build), seed=case.recipe.seed, kept_float=round(build.made.kept_float, 6),
        images=story.looked.model_copy(update=used), gates=case.recipe.gates, verdict=judged.verdict,
        dropped=story.split.dropped, levels=judged.refit.levels if judged.refit else (),
        sensitivity=tuple(_curve(build)), candidates=tuple(_candidates(story, label)),
        why=story.choice.why if story.choice else "its gates failed, so float stays", **_drawn(judged.seen),
    )  # fmt: skip


def method_words(build: Build) -> str:
    """How the graph was made, in a line."""
    back = len(build.returned)
    returned = f", {back} node{'' if back == 1 else 's'} returned to float" if back else ""
    return f"{build.method}{returned}"


def _drawn(seen: Recognised | Agreement | None) -> dict[str, object]:
    """What is plotted."""
    if isinstance(seen, Agreement):
        return {"landmarks": error_histogram(seen.landmark_errors)} if seen.matched else {}
    if seen is None:
        return {}
    drawn: dict[str, object] = {"cosines": cosine_histogram(seen.cosines)}
    if seen.pairs is not None and seen.pairs.genuine and seen.pairs.impostors:
        drawn |= {"scores": score_summary(seen.pairs), "errors": error_curve(seen.pairs)}
    return drawn


def _curve(build: Build) -> Iterator[Point]:
    """The tries of the method that was settled on, by the share left in float."""
    tried = sorted((point for point in build.curve if point.method == build.method), key=lambda one: one.kept_float)
    for point in tried:
        nodes = tuple(harm.node for harm in build.ranking[: point.returned])
        yield Point(kept_float=point.kept_float, score=point.likeness, nodes=nodes)


def _candidates(story: Story, label: str) -> Iterator[Candidate]:
    """What was timed, at batch 1."""
    made = story.build.made
    for one in story.choice.timings if story.choice else ():
        if one.batch == 1:
            is_new = one.package == label
            yield Candidate(
                name=f"{one.package} ({one.precision})", ms=one.ms, quartiles=one.ms_quartiles,
                kept_float=round(made.kept_float, 6) if is_new else 1.0,
                weight_bytes=made.weights_after if is_new else made.weights_before, passed=True if is_new else None,
                chosen=story.choice is not None and one.package == story.choice.package,
            )  # fmt: skip
