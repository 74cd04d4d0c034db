"""A network becomes a package of the store: found, described, prepared, tried, put in its place.

Run by `faceedge model add`. It is built in a folder beside and appears whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import BadInput, PackageError
from faceedge.jobs.check_model import check_kin, check_package, misfits
from faceedge.jobs.choose_model import check_idle
from faceedge.jobs.describe_model import Wish, describe
from faceedge.jobs.site import ROLES, Site
from faceedge.models.apart import prepare, read_facts
from faceedge.models.bring import Origin, copied_folder, origin
from faceedge.models.licence import check_licence
from faceedge.models.place import check_free, place, scratch_folder
from faceedge.models.store import every_package, write_parts
from faceedge.models.workshop import Workshop
from faceedge.package import Package, read_package

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Added:
    """The package in its place; what was assumed of it, and what to mind, one line each."""

    package: Package
    assumed: tuple[str, ...]
    warnings: tuple[str, ...]


def add_model(wish: Wish, site: Site, progress: Progress) -> Added:
    """Adds what `wish` names. Raises BadInput, PackageError, StoreError or MissingExtra; then nothing was added."""
    found = origin(
        wish.source, site.state, site.cache, sha256=wish.sha256, folder=wish.from_folder, progress=progress
    )  # fmt: skip
    with scratch_folder(site.state) as scratch, Workshop() as shop:
        fresh = scratch / "package"
        progress("preparing", 0.1)
        try:
            assumed = _copy(found, wish, site, fresh) if found.is_package else _build(found, wish, site, fresh, shop)
            progress("trying", 0.8)
            package = read_package(fresh)
            check_package(package, shop)
            check_kin(package, (one.package for one in every_package(site.state, site.cache)))
        except PackageError as error:  # what was given is known to the person, the scratch folder is not
            raise PackageError(str(error).replace(str(fresh), str(found.path))) from error
        target = place(fresh, package.label, site.state, replace=wish.replace)
    _forget_download(found.path, site.cache)
    package = read_package(target)
    return Added(package, assumed, tuple(_warnings(package, wish, site)))


def _copy(found: Origin, wish: Wish, site: Site, fresh: Path) -> tuple[str, ...]:
    """A package folder as it is; it says everything itself."""
    if wish.role or wish.family or wish.recipe or wish.name or wish.version or wish.licence or wish.fit:
        raise BadInput(
            f"{found.path}: is a package, which says all that itself; leave the flags out, or edit its files"
        )
    copied_folder(found.path, fresh)
    _check_place(read_package(fresh).label, wish, site)
    return ()


def _build(found: Origin, wish: Wish, site: Site, fresh: Path, shop: Workshop) -> tuple[str, ...]:
    """A package from a graph; returns what was assumed."""
    facts = read_facts(found.path, shop)
    expected = found.entry.sha256 if found.entry else wish.sha256.lower()
    if expected and facts.sha256 != expected:  # the file may have changed since it was looked at
        raise PackageError(f"{found.path}: its sha256 is {facts.sha256}, not {expected}; fetch it again")
    draft = describe(facts, found, wish)
    manifest = draft.manifest
    _check_place(f"{manifest.name}@{manifest.version}", wish, site)
    fresh.mkdir()
    made = prepare(
        found.path, fresh, width=manifest.input.width, height=manifest.input.height, max_batch=manifest.max_batch,
        shop=shop,
    )  # fmt: skip
    if made.source_sha256 != facts.sha256:
        raise PackageError(f"{found.path}: changed while it was read; add it again")
    built = {"plain": made.plain, "fast": made.fast, "selftest": made.selftest, "max_batch": made.max_batch}
    write_parts(fresh, manifest.model_copy(update=built), draft.fit)
    return draft.assumed


def _check_place(label: str, wish: Wish, site: Site) -> None:
    """Nobody's place is taken unasked, and that of one that serves not at all: people may be unknown to the new one."""
    check_free(label, site.state, replace=wish.replace)
    if wish.replace:
        check_idle(label, site)


def _warnings(package: Package, wish: Wish, site: Site) -> list[str]:
    lines = misfits(package, [site.at_hand(role) for role in ROLES])
    try:
        check_licence(package, site.models.accept_licences)
    except PackageError as error:
        lines.append(f"a start will refuse it: {error}")
    if package.manifest.selftest is None:
        lines.append("it has no self-test vector: `faceedge model verify` cannot tell whether its answers change")
    if package.manifest.plain is None:
        lines.append("it notes no digest of its graph: nobody will see when the file is changed")
    if wish.replace:
        lines.append("a daemon that runs the one replaced goes on with it until its next start")
    return lines


def _forget_download(path: Path, cache: Path) -> None:
    """A download has served; the package holds what is needed of it."""
    if path.parent == cache / "downloads":
        path.unlink(missing_ok=True)
