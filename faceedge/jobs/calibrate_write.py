"""A finished build becomes a package of the store: `<version>-int8`, its report beside it, whole or not at all."""

from __future__ import annotations

import datetime
import hashlib
import shutil
from dataclasses import dataclass

from faceedge.jobs.calibrate_search import Build
from faceedge.jobs.site import Site
from faceedge.models.apart import Workshop, prepare
from faceedge.models.landmarks import FILE as LANDMARKS
from faceedge.models.place import place, scratch_folder
from faceedge.models.store import DEFAULTS, write_parts
from faceedge.package import Calibration, Fit, Package, read_package

SUFFIX = "-int8"
REPORT, PAGE = "report.json", "report.html"
LONGEST_VERSION, LONGEST_NAME = 32, 64


@dataclass(frozen=True, slots=True)
class Written:
    """What goes beside the graph. sha256, images: of the calibration images. report, page: files' contents."""

    sha256: str
    images: int
    seed: int
    method: str
    date: datetime.date
    report: bytes
    page: bytes


def names(package: Package) -> tuple[str, str]:
    """Name and version of the INT8 build of a package. A built-in name belongs to the built-in package alone."""
    name, version = package.manifest.name, package.manifest.version
    if name in DEFAULTS:
        return f"{name[: LONGEST_NAME - len(SUFFIX)]}{SUFFIX}", version
    return name, f"{version[: LONGEST_VERSION - len(SUFFIX)]}{SUFFIX}"


def write(package: Package, build: Build, written: Written, site: Site, *, replace: bool) -> Package:
    """Raises PackageError when there is one of that label, unless `replace`, or when the graph does not run."""
    name, version = names(package)
    with scratch_folder(site.state) as scratch, Workshop() as shop:
        fresh = scratch / "package"
        fresh.mkdir()
        manifest = package.manifest
        made = prepare(
            build.made.graph, fresh, width=manifest.input.width, height=manifest.input.height,
            max_batch=manifest.max_batch, shop=shop,
        )  # fmt: skip
        words = (*(manifest.plain.changes if manifest.plain else ()), f"quantised to INT8: {written.method}")
        plain = made.plain.model_copy(update={"changes": words})
        parts = {
            "name": name, "version": version, "precision": "int8", "plain": plain, "fast": made.fast,
            "selftest": made.selftest, "max_batch": made.max_batch, "calibration": _record(build, written),
        }  # fmt: skip
        write_parts(fresh, manifest.model_copy(update=parts), _fit(package, build))
        (fresh / REPORT).write_bytes(written.report)
        (fresh / PAGE).write_bytes(written.page)
        if (package.folder / LANDMARKS).exists():
            shutil.copyfile(package.folder / LANDMARKS, fresh / LANDMARKS)
        read_package(fresh)
        return read_package(place(fresh, f"{name}@{version}", site.state, replace=replace))


def _record(build: Build, written: Written) -> Calibration:
    return Calibration(
        sha256=written.sha256, date=written.date, images=written.images, method=written.method, seed=written.seed,
        verdict="passed" if build.judged.verdict.passed else "failed", kept_float=round(build.made.kept_float, 6),
        report_sha256=hashlib.sha256(written.report).hexdigest(),
    )  # fmt: skip


def _fit(package: Package, build: Build) -> Fit | None:
    """The re-fitted thresholds, or the float source's and why they were kept."""
    if package.fit is None:
        return None
    if build.judged.refit is not None:
        return build.judged.refit.fit
    why = f"as the float source has it, for {build.judged.unfitted or 'nothing was re-fitted'}"
    return package.fit.model_copy(update={"evidence": f"{why}: {package.fit.evidence}"})


def method_words(build: Build) -> str:
    """How the graph was made, in a line."""
    back = len(build.returned)
    returned = f", {back} node{'' if back == 1 else 's'} returned to float" if back else ""
    return f"{build.method}{returned}"
