"""The quality that predicts recognition, fitted to the recogniser that serves: photos in; its package with a quality, a
report, and the figures of people held out, out. Run by `faceedge calibrate quality`.

Nobody has to label anything: a photo spoiled by seed shows how far its embedding moves from that of the clean photo.
What is no better than plain features is not written.
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceedge.backends.cpu import CpuPreprocessor
from faceedge.config import EngineSettings
from faceedge.errors import BadInput
from faceedge.fit import Fit, RecogniserQuality
from faceedge.jobs.calibration.case import SEARCHED_PX
from faceedge.jobs.calibration.eyes import Eyes, open_engine
from faceedge.jobs.calibration.quality_fit import Rows, fit_head, fit_output, rows_of
from faceedge.jobs.calibration.quality_gather import Gatherer, Look
from faceedge.jobs.calibration.quality_levels import judging_of
from faceedge.jobs.calibration.quality_report import Judged, Report, judge, page, sentence
from faceedge.jobs.calibration.quality_train import Training
from faceedge.jobs.calibration.source import Photo, choose, files_in
from faceedge.jobs.calibration.state import opened_steps
from faceedge.jobs.site import Site
from faceedge.models.licence import check_licence
from faceedge.models.place import place, scratch_folder
from faceedge.models.store import DEFAULTS, find_package, write_parts
from faceedge.package import Package, read_package
from faceedge.recognize import Recognizer

Progress = Callable[[str, float], None]
REPORT, PAGE = "quality.json", "quality.html"
OWN = "-own"
"""How the copy of a built-in package is called: the built-in one stays as it is."""
MOST_PHOTOS = 2000
GATHERING = 0.9
"""Share of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """images: folders of photos, or of folders of photos with one person each. model: the recogniser; without it the
    one that serves. output: a number of the recogniser's own to be scaled, in place of a head."""

    images: Sequence[Path]
    model: str = ""
    output: str = ""
    limit: int = MOST_PHOTOS
    seed: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """source: the package that was fitted. package: with the quality in it; None when it did not pass. photos: how many
    showed a face; unreadable: how many files could not be read."""

    source: Package
    package: Package | None
    quality: RecogniserQuality
    judged: Judged
    sentence: str
    photos: int
    unreadable: int


def calibrate_quality(order: Order, site: Site, settings: EngineSettings, tell: Progress) -> Fitted:
    """Raises BadInput for words that cannot be and for too few photos, PackageError, StoreError, EngineError."""
    package = _recogniser(order, site, tell)
    detector = site.present("detector", tell)
    assert detector is not None, "the detector has a built-in package"
    photos = choose([photo for folder in order.images for photo in files_in(folder)], order.limit, order.seed)
    unreadable: list[str] = []
    with opened_steps(site.state, package.build) as steps:
        memory = steps.folder / f"copies-{detector.build}.jsonl"
        with closing(Eyes(detector, settings, memory, pixels=SEARCHED_PX)) as eyes:
            part: Progress = lambda text, share: tell(text, GATHERING * share)  # noqa: E731
            looks = _looks(package, eyes, photos, settings, order.seed, unreadable, part)
            rows = rows_of(looks, _cosine(package, looks, _fit(package).door_thresholds.match), order.seed)
            candidate, fitted = _fitted(order, rows, package, detector, tell)
        judged = judge(rows, candidate)
        words = sentence(judged)
        fitted = fitted.model_copy(update={"evidence": words[:400]})
        placed = (
            _write(package, detector, _fit_with(package, rows, candidate, fitted), judged, order, site)
            if judged.passed
            else None
        )
        steps.clear()
    shown = len({look.photo for look in rows.looks})
    return Fitted(package, placed, fitted, judged, words, shown, len(unreadable))


def _recogniser(order: Order, site: Site, tell: Progress) -> Package:
    found = find_package(order.model, site.state, site.cache, tell) if order.model else site.present("recognizer", tell)
    if found is None or found.manifest.role != "recognizer":
        raise BadInput(f"{order.model or 'none'}: is no recogniser; name one with --model")
    check_licence(found, site.models.accept_licences)
    return found


def _looks(
    package: Package, eyes: Eyes, photos: Sequence[Photo], settings: EngineSettings, seed: int,
    unreadable: list[str], tell: Progress,
) -> list[Look]:  # fmt: skip
    manifest = package.manifest
    with closing(open_engine(package.fast_graph, manifest, settings)) as engine:
        recognizer = Recognizer(engine, CpuPreprocessor(), manifest, package.space)
        return Gatherer(eyes, recognizer, manifest.alignment, seed).looks(photos, unreadable, tell)


def _fit(package: Package) -> Fit:
    assert package.fit is not None, "read_package refuses a recogniser without fit.toml"
    return package.fit


def _fit_with(package: Package, rows: Rows, candidate: RecogniserQuality, fitted: RecogniserQuality) -> Fit:
    """The package's numbers with the fitted quality, and what the people held out say of the numbers that judge."""
    fit = _fit(package)
    judging = judging_of(rows, candidate, fit.judging, fit.door_thresholds.match, package.manifest.metric)
    return fit.model_copy(update={"quality": fitted, "judging": judging})


def _cosine(package: Package, looks: Sequence[Look], similarity: float) -> float:
    """What a similarity of the recogniser's metric is as a cosine."""
    if package.manifest.metric != "euclidean" or not looks:
        return similarity
    power = float(np.mean([look.template.norm**2 for look in looks if look.clean]))
    return 1 - (1 - similarity) / max(power, 1e-9)


def _fitted(
    order: Order, rows: Rows, package: Package, detector: Package, tell: Progress
) -> tuple[RecogniserQuality, RecogniserQuality]:
    """What is judged, and what serves if that passes (`fit_head`)."""
    if order.output:
        return (scaled := fit_output(rows, order.output)), scaled
    how = Training(seed=order.seed)
    middle = _cosine(package, rows.looks, _fit(package).door_thresholds.match)

    def training(share: float) -> None:
        tell("fitting", GATHERING + (1 - GATHERING) * share)

    return fit_head(rows, middle, detector.build, detector.manifest.landmarks, how, training)


def _write(source: Package, detector: Package, fit: Fit, judged: Judged, order: Order, site: Site) -> Package:
    """The package anew with this fit.toml, whole or not at all; graph, build and space stay the same."""
    name = source.manifest.name + (OWN if source.manifest.name in DEFAULTS else "")
    manifest, label = source.manifest.model_copy(update={"name": name}), f"{name}@{source.manifest.version}"
    fitted = fit.quality
    assert fitted is not None, "it was fitted"
    weights = len(fitted.head.table) if fitted.head else 0
    report = Report(
        package=label, detector=detector.build, made=datetime.datetime.now(datetime.timezone.utc).date(),
        seed=order.seed, verdict="passed", sentence=sentence(judged), bytes=weights, judged=judged, knots=fitted.knots,
    )  # fmt: skip
    with scratch_folder(site.state) as scratch:
        fresh = scratch / "package"
        shutil.copytree(source.folder, fresh)
        write_parts(fresh, manifest, fit)
        (fresh / REPORT).write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (fresh / PAGE).write_text(page(report), encoding="utf-8")
        if read_package(fresh).build != source.build:
            raise BadInput(f"{source.label}: was replaced while its quality was fitted; try again")
        return read_package(place(fresh, label, site.state, replace=True))
