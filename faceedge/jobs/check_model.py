"""Is a package what it says, and does it fit its neighbours? Asked before one is added or activated, and on demand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceedge import align
from faceedge.backends.base import Engine
from faceedge.backends.cpu import CpuPreprocessor
from faceedge.backends.onnx import OnnxEngine
from faceedge.detect import Detector
from faceedge.errors import EngineError, FaceedgeError, PackageError
from faceedge.families import detector_family
from faceedge.grade import Grader
from faceedge.jobs.proof import doubt
from faceedge.manifest import Manifest
from faceedge.models.agree import check_agreement
from faceedge.models.apart import read_facts, try_graph
from faceedge.models.landmarks import load_landmarker
from faceedge.models.selftest import deviation, picture
from faceedge.models.store import Found
from faceedge.models.workshop import Workshop
from faceedge.package import FAST_GRAPH, GRAPH, Package
from faceedge.recognize import EMBEDDING, Recognizer

MOST_DEVIATION = 1e-3
"""Share by which a graph's answers may differ from those noted when it was added: other machines round otherwise."""
FREE_SIDE_PX = 320


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to. fault: empty when all is well. deviation: of the self-test, None where none was noted.
    doubt: why an INT8 package may be worse than its source."""

    label: str
    fault: str = ""
    deviation: float | None = None
    note: str = ""
    doubt: str = ""


def verify(found: Found, shop: Workshop) -> Verdict:
    """Digests, opset, shapes, manifest against graph, self-test, and reading its answers. Raises nothing for a broken
    package."""
    if found.package is None:
        return Verdict(
            found.label,
            found.fault,
            note="" if found.fault else "not imported, or damaged: it is imported anew on next use",
        )
    try:
        deviation = check_package(found.package, shop)
    except FaceedgeError as error:
        return Verdict(found.label, str(error))
    note = "" if deviation is not None else "has no self-test vector: whether its answers changed cannot be told"
    return Verdict(found.label, "", deviation, note, doubt(found.package))


def check_package(package: Package, shop: Workshop) -> float | None:
    """Holds manifest and files against what the graphs say and answer; returns the larger self-test deviation.

    shop: the process that looks at the graphs. Raises PackageError with the first thing that does not hold. The files'
    digests were checked by `read_package`.
    """
    manifest = package.manifest
    _check_parts(package)
    deviations = []
    for name in (GRAPH, FAST_GRAPH) if manifest.fast is not None else (GRAPH,):
        path = package.folder / name
        facts = read_facts(path, shop)
        check_agreement(manifest, facts.inputs, facts.outputs)
        if manifest.selftest is not None:
            apart = try_graph(path, manifest.selftest, manifest.max_batch, shop)
            deviations.append(max(0.0, apart - _known_difference(manifest, name)))
            if not deviations[-1] <= MOST_DEVIATION:
                raise PackageError(
                    f"{path}: its answers differ by {deviations[-1]:.1g} from those noted when it was added, at most "
                    f"{MOST_DEVIATION} is rounding; add the package again"
                )
    _try(package)
    return max(deviations, default=None)


def _known_difference(manifest: Manifest, graph: str) -> float:
    """By how much a graph's answers differ from those noted by its making: an INT8 one that rounds more for speed."""
    fast = manifest.fast
    return fast.difference if fast is not None and graph == FAST_GRAPH and manifest.precision == "int8" else 0.0


def check_kin(package: Package, others: Iterable[Package | None]) -> None:
    """Raises PackageError when a recogniser would share a space with one that answers otherwise: the space follows from
    what its manifest says of its source, which anybody can write. What an INT8 graph must show, its gates ask."""
    for other in others:
        if other is None or other.space != package.space or other.build == package.build:
            continue
        if "int8" in (other.manifest.precision, package.manifest.precision):
            continue
        if not _apart(package, other) <= MOST_DEVIATION:
            raise PackageError(
                f"{package.label}: names the source of {other.label}, but does not show the same answers; "
                "add the network itself with --name, which notes its own source"
            )


def misfits(package: Package, others: Iterable[Package | None]) -> list[str]:
    """Why the networks beside it cannot work with `package`, one line each."""
    lines = []
    for other in others:
        if other is None or other.manifest.role == package.manifest.role:
            continue
        detector = next((one for one in (package, other) if one.manifest.role == "detector"), None)
        if detector is None:
            continue  # recogniser and quality network never meet
        crops = other if detector is package else package
        try:
            align.check(detector.manifest.landmarks, crops.manifest.alignment)
        except PackageError as error:
            lines.append(f"{detector.label} and {crops.label} do not fit: {error}")
    return lines


def _apart(one: Package, two: Package) -> float:
    """Deviation of two embeddings of the self-test picture; infinite where one is not noted."""
    first, second = (_embedding(package) for package in (one, two))
    if first is None or second is None or len(first) != len(second):
        return float("inf")
    return deviation(first, second)


def _embedding(package: Package) -> NDArray[np.float64] | None:
    manifest = package.manifest
    noted = manifest.selftest.outputs if manifest.selftest else {}
    answer = noted.get(manifest.output(EMBEDDING)) or next(iter(noted.values()), None)
    return np.array(answer.values) if answer else None


def _check_parts(package: Package) -> None:
    """The names in the manifest are of parts that there are."""
    manifest = package.manifest
    if manifest.role == "detector":
        detector_family(manifest)
        if manifest.landmarks not in align.SCHEMES:
            known = " and ".join(sorted(align.SCHEMES))
            raise PackageError(f"{package.label}: unknown landmarks {manifest.landmarks!r}; known are {known}")
        return
    crop, size = align.crop_spec(manifest.alignment), manifest.input
    if (size.width or crop.width, size.height or crop.height) != (crop.width, crop.height):
        raise PackageError(
            f"{package.label}: takes {size.width}x{size.height} px, but crops of {manifest.alignment} have "
            f"{crop.width}x{crop.height} px"
        )


def _try(package: Package) -> None:
    """Opens what ONNX Runtime will run, and lets the flow read its answer to the self-test picture."""
    manifest = package.manifest
    engine = OnnxEngine(package.fast_graph, max_batch=manifest.max_batch)
    try:
        _use(package, engine)
    except EngineError as error:
        raise PackageError(f"{package.label}: {error}") from error
    finally:
        engine.close()


def _use(package: Package, engine: Engine) -> None:
    manifest, preprocessor = package.manifest, CpuPreprocessor()
    if manifest.role == "detector":
        family, marks = detector_family(manifest), load_landmarker(package)
        width, height = (
            min(side or FREE_SIDE_PX, FREE_SIDE_PX) for side in (manifest.input.width, manifest.input.height)
        )
        scene = picture(width, height)
        Detector(engine, family, preprocessor, manifest.normalisation, marks).detect([scene])
        return
    crop = align.crop_spec(manifest.alignment)
    face = picture(crop.width, crop.height)
    if package.head is not None:
        Grader(engine, preprocessor, manifest, package.head).grades([face])
    else:
        Recognizer(engine, preprocessor, manifest, package.space).embed([face])
