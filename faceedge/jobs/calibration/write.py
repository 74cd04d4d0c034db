"""A finished build becomes a package of the store: `<version>-int8`, its report beside it, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from faceedge.fit import Fit
from faceedge.jobs.calibration.gates import RecogniserJudge
from faceedge.jobs.calibration.report import Story, method_words, report_of
from faceedge.jobs.check_model import FREE_SIDE_PX
from faceedge.manifest import Graph
from faceedge.models.apart import Workshop, prepare, try_graph
from faceedge.models.graph import Prepared
from faceedge.models.landmarks import FILE as LANDMARKS
from faceedge.models.place import place, scratch_folder
from faceedge.models.store import DEFAULTS, INT8, write_parts
from faceedge.package import FAST_GRAPH, Package, read_package
from faceedge.quantize.report import WorstPair, write_report

LONGEST_VERSION, LONGEST_NAME = 32, 64


def label_of(package: Package) -> str:
    """`name@version` of the INT8 build of a package. A built-in name belongs to the built-in package alone."""
    return "@".join(_names(package))


def write(story: Story) -> Package:
    """Raises PackageError when there is one of that label and it was not to be replaced, or the graph does not run."""
    case, build, label = story.case, story.build, label_of(story.case.package)
    source, manifest = case.package, case.package.manifest
    with scratch_folder(case.site.state) as scratch, Workshop() as shop:
        fresh = scratch / "package"
        fresh.mkdir()
        made = prepare(
            build.made.graph, fresh, width=manifest.input.width or FREE_SIDE_PX,
            height=manifest.input.height or FREE_SIDE_PX, max_batch=manifest.max_batch, shop=shop,
        )  # fmt: skip
        report = report_of(story, label, made.plain.sha256)
        changes = (*(manifest.plain.changes if manifest.plain else ()), f"quantised to INT8: {method_words(build)}")
        name, version = _names(source)
        fast = _fast(story, fresh, made, shop)
        parts = {
            "name": name, "version": version, "precision": "int8", "fast": fast, "selftest": made.selftest,
            "plain": made.plain.model_copy(update={"changes": changes}), "max_batch": made.max_batch,
            "calibration": report.calibration(write_report(report, fresh, _worst(story))),
        }  # fmt: skip
        write_parts(fresh, manifest.model_copy(update=parts), _fit(story))
        if (source.folder / LANDMARKS).exists():
            shutil.copyfile(source.folder / LANDMARKS, fresh / LANDMARKS)
        read_package(fresh)
        return read_package(place(fresh, label, case.site.state, replace=case.order.replace))


def _fast(story: Story, fresh: Path, made: Prepared, shop: Workshop) -> Graph | None:
    """The form for ONNX Runtime, in its place; its answers differ by more than rounding of floats, as noted."""
    if story.build.fast is None:
        return None
    target = fresh / FAST_GRAPH
    shutil.copyfile(story.build.fast, target)
    apart = try_graph(target, made.selftest, made.max_batch, shop) if made.selftest is not None else 0.0
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    words = "convolutions compute in INT8, and round their outputs, too; judged by the same gates"
    return Graph(sha256=digest, changes=(words,), difference=float(f"{apart:.7g}"))


def _worst(story: Story) -> tuple[WorstPair, ...]:
    """Pictures of people for the report, only where somebody asked for them."""
    judge = story.split.judge
    if not story.case.order.show_pairs or not isinstance(judge, RecogniserJudge):
        return ()
    return judge.worst(story.build.judged)


def _names(package: Package) -> tuple[str, str]:
    name, version = package.manifest.name, package.manifest.version
    if name in DEFAULTS:
        return f"{name[: LONGEST_NAME - len(INT8)]}{INT8}", version
    return name, f"{version[: LONGEST_VERSION - len(INT8)]}{INT8}"


def _fit(story: Story) -> Fit | None:
    """The re-fitted thresholds, or the float source's and why they were kept."""
    fit, judged = story.case.package.fit, story.build.judged
    if fit is None:
        return judged.refit.fit if judged.refit else None
    quality = fit.quality if fit.quality is not None and fit.quality.head is None else None  # a head knows one build
    judging = fit.judging if quality == fit.quality else fit.judging.model_copy(update={"evidence": ""})
    own = {"quality": quality, "judging": judging}
    if judged.refit is not None:
        return judged.refit.fit.model_copy(update=own)
    why = f"as the float source has it, for {judged.unfitted or 'nothing was re-fitted'}"
    return fit.model_copy(update={"evidence": f"{why}: {fit.evidence}", **own})
