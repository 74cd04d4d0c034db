"""Which package is to serve a role: found, and checked before it may; and packages that nobody needs, deleted.

Run by `jobs/swap.py`, and by `faceedge model remove`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from faceedge.errors import BadInput, PackageError
from faceedge.jobs.check_model import check_kin, check_package, misfits
from faceedge.jobs.photo_check import check_photo
from faceedge.jobs.proof import check_proven
from faceedge.jobs.site import ROLES, SPOKEN, Site
from faceedge.manifest import Role
from faceedge.models.active import BUILT_IN, Standing, standing
from faceedge.models.licence import check_licence
from faceedge.models.place import remove_package
from faceedge.models.store import DEFAULTS, every_package, find_package
from faceedge.models.workshop import Workshop
from faceedge.package import Package, read_package

Progress = Callable[[str, float], None]
Packages = Mapping[Role, "Package | None"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to serve a role; package: None is no network at all. wanted: its label as it is kept, empty for what is
    built in. standing: as it is now. is_return: it is the one that served before."""

    role: Role
    package: Package | None
    wanted: str
    standing: Standing
    is_return: bool = False

    @property
    def label(self) -> str:
        return self.package.label if self.package else "none"

    @property
    def before(self) -> str:
        """Label of what serves until now."""
        return self.standing.active or BUILT_IN.get(self.role, "none")

    def check_unchanged(self) -> None:
        """Raises PackageError when what was checked is no longer what is there."""
        if self.package is not None and read_package(self.package.folder).build != self.package.build:
            raise PackageError(f"{self.package.label}: was replaced while it was checked; activate it again")


def choose(name: str, site: Site, progress: Progress) -> Choice:
    """The package called `name`, for its role. Raises PackageError when there is none or it is damaged, BadInput when
    the configuration decides."""
    if "/" in name:
        raise BadInput(f"{name}: is a path; add the package first: faceedge model add {name}")
    package = find_package(name, site.state, site.cache, progress)
    role = package.manifest.role
    _check_free_choice(role, site)
    wanted = "" if package.manifest.name in DEFAULTS else package.label
    return Choice(role, package, wanted, standing(role, site.state))


def choose_former(role: Role, site: Site, progress: Progress) -> Choice:
    """The package that served `role` before the present one. Raises as `choose`, BadInput also when none has."""
    _check_free_choice(role, site)
    now = standing(role, site.state)
    if now.active == now.previous:
        raise BadInput(f"no {SPOKEN[role]} was activated before, so there is nothing to go back to")
    name = now.previous or BUILT_IN.get(role, "")
    package = find_package(name, site.state, site.cache, progress) if name else None
    return Choice(role, package, now.previous, now, is_return=True)


def check_choice(
    choice: Choice, others: Packages, site: Site, progress: Progress, *, accept_worse: str, is_known: bool
) -> None:  # fmt: skip
    """Digest, licence, gates, neighbours; and for a package that is not known from its service here also graph,
    manifest, self-test, kinship, and a photo through the whole path.

    others: packages of the other roles. accept_worse: the reason for which an INT8 package without passed gates is to
    serve. Raises PackageError when it is broken, of a licence that is not allowed, or does not fit its neighbours;
    BadInput when its gates have not passed.
    """
    package = choice.package
    if package is None:
        return
    check_proven(package, accept_worse)
    check_licence(package, site.models.accept_licences)
    if not is_known:
        progress(f"checking {package.label}", 0.1)
        with Workshop() as shop:
            check_package(package, shop)
        check_kin(package, (one.package for one in every_package(site.state, site.cache)))
    progress("checking its neighbours", 0.6)
    for line in misfits(package, others.values()):
        raise PackageError(line)
    if not is_known:
        progress("trying it on a photo", 0.7)
        check_photo({**others, choice.role: package})


def remove(label: str, site: Site) -> None:
    """Deletes a package for good. Raises BadInput for one that serves, or did before, PackageError for none."""
    remove_package(label, site.state, lambda: check_idle(label, site))


def check_idle(label: str, site: Site) -> None:
    """Raises BadInput when the package serves a role, did before, or is what the configuration names."""
    for role in ROLES:
        now = standing(role, site.state)
        for word, kept in (("active", now.active), ("the previous one", now.previous)):
            if kept == label:
                raise BadInput(f"{label} is {word} as {SPOKEN[role]}; activate another first")
        if site.pinned(role) in (label, label.partition("@")[0]):
            raise BadInput(f"{label} is what the configuration names as {SPOKEN[role]}; name another there first")


def _check_free_choice(role: Role, site: Site) -> None:
    if pinned := site.pinned(role):
        raise BadInput(
            f"the configuration pins the {SPOKEN[role]}: [models] {role} = {pinned!r}; take that line out (or unset "
            f"FACEEDGE__MODELS__{role.upper()}), for it wins over what is activated"
        )
