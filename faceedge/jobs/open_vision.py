"""Which networks serve, found and opened: packages of the state directory or the defaults in, a `Vision` out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from faceedge.config import EngineSettings, Models
from faceedge.errors import PackageError
from faceedge.jobs.build_engines import Builder
from faceedge.jobs.engines import engines_of
from faceedge.jobs.vision import Around, Progress, Vision, as_it_is
from faceedge.manifest import Role
from faceedge.models.active import chosen
from faceedge.models.licence import check_licence, warned
from faceedge.models.store import find_package
from faceedge.package import Package, read_package
from faceedge.portions import WHOLE, Portions


def open_vision(
    models: Models, engine: EngineSettings, state: Path, cache: Path, progress: Progress | None = None,
    builder: Builder | None = None, around: Around = as_it_is, *, portions: Portions = WHOLE,
) -> Vision:  # fmt: skip
    """Finds the packages in the state directory or among the defaults and opens them. builder: is wished for engines
    that are missing. portions: how much runs at once.

    Raises PackageError when one is missing, broken, of the wrong role or a licence that is not allowed, or they do
    not fit each other; MissingExtra, EngineError when TensorRT is asked for and cannot be had.
    """
    configured: dict[Role, str] = {
        "detector": models.detector, "recognizer": models.recognizer, "quality": models.quality,
    }  # fmt: skip
    found: dict[Role, Package] = {}
    for role, name in configured.items():
        if wanted := chosen(role, name, state):
            found[role] = find_package(wanted, state, cache, progress)
            _check_role(found[role], role)
            check_licence(found[role], models.accept_licences)
    for needed in ("detector", "recognizer"):
        if needed not in found:
            raise PackageError(f"without a {needed} nobody is recognised; name another than none")
    notices = sufferance(found.values(), models.accept_licences)
    opener = engines_of(engine, state, builder)
    vision = Vision(found["detector"], found["recognizer"], opener, found.get("quality"), notices, around, portions)
    for package in found.values():  # its digest was checked before ONNX Runtime opened it by name
        if read_package(package.folder).build != package.build:
            vision.close()
            raise PackageError(f"{package.label}: was replaced while it was opened; start again")
    return vision


def sufferance(packages: Collection[Package], accepted: Sequence[str]) -> list[str]:
    """A sentence for each package that runs on sufferance: its licence, or gates that it has not passed."""
    return [*warned(packages, accepted), *_unproven(packages)]


def _unproven(packages: Iterable[Package]) -> list[str]:
    """A sentence for each INT8 package that has not shown that it is no worse."""
    quantised = [package for package in packages if package.manifest.precision == "int8"]
    if not quantised:
        return []
    from faceedge.jobs.proof import doubt  # reports take 60 ms to import, float networks have none

    return [f"{package.label} {why}" for package in quantised if (why := doubt(package))]


def _check_role(package: Package, role: Role) -> None:
    if package.manifest.role != role:
        raise PackageError(f"{package.label} is a {package.manifest.role}, not a {role}; name another in [models]")
