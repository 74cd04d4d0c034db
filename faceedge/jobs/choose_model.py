"""Which package serves a role from the next start on: activated, taken back, and who loses what by it.

Run by `faceedge model activate`, `rollback` and `remove`. A running daemon is not touched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faceedge.errors import BadInput, PackageError, StoreError
from faceedge.gallery.store import Gallery
from faceedge.jobs.check_model import check_kin, check_package, misfits
from faceedge.jobs.proof import check_proven
from faceedge.jobs.site import ROLES, SPOKEN, Site
from faceedge.manifest import Role
from faceedge.models.active import BUILT_IN, Standing, stand, standing
from faceedge.models.licence import check_licence
from faceedge.models.place import remove_package
from faceedge.models.store import DEFAULTS, every_package, find_package
from faceedge.models.workshop import Workshop
from faceedge.package import Package, read_package

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What serves a role from the next start on; package: None is no network at all. before: label of what served it
    until now. is_new: whether that is a change. strangers: enrolled people whom the new recogniser does not know."""

    role: Role
    package: Package | None
    before: str
    is_new: bool
    strangers: int = 0

    @property
    def label(self) -> str:
        return self.package.label if self.package else "none"


def activate(
    name: str, site: Site, progress: Progress, *, agreed: bool = False, accept_worse: str = ""
) -> Chosen:  # fmt: skip
    """Makes the package called `name` serve its role. agreed: also when enrolled people are then unknown.
    accept_worse: the reason for which an INT8 package without passed gates is to serve.

    Raises PackageError when it is broken, of a licence that is not allowed, or does not fit its neighbours; BadInput
    when the configuration decides, people would become unknown, or an INT8 package has not passed its gates.
    """
    if "/" in name:
        raise BadInput(f"{name}: is a path; add the package first: faceedge model add {name}")
    package = find_package(name, site.state, site.cache, progress)
    _check_free_choice(package.manifest.role, site)
    check_proven(package, accept_worse)
    wanted = "" if package.manifest.name in DEFAULTS else package.label
    return _choose(package.manifest.role, wanted, package, site, progress, agreed=agreed)


def rollback(
    role: Role, site: Site, progress: Progress, *, agreed: bool = False, accept_worse: str = ""
) -> Chosen:  # fmt: skip
    """Makes the package that served `role` before the present one serve it again. Raises as `activate`."""
    _check_free_choice(role, site)
    now = standing(role, site.state)
    if now.active == now.previous:
        raise BadInput(f"no {SPOKEN[role]} was activated before, so there is nothing to go back to")
    name = now.previous or BUILT_IN.get(role, "")
    package = find_package(name, site.state, site.cache, progress) if name else None
    if package is not None:
        check_proven(package, accept_worse)
    return _choose(role, now.previous, package, site, progress, agreed=agreed)


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


def _choose(
    role: Role, wanted: str, package: Package | None, site: Site, progress: Progress, *, agreed: bool
) -> Chosen:
    now = standing(role, site.state)
    before = now.active or BUILT_IN.get(role, "none")
    if package is not None:
        _check_fit_to_serve(package, site, progress)
    if now.active == wanted:
        return Chosen(role, package, before, False)
    strangers = _strangers(package, site) if package is not None and role == "recognizer" else 0
    if strangers and not agreed:
        raise BadInput(
            f"{strangers} of the people enrolled have no template of that recogniser, so no door will know them until "
            "they are enrolled again; if that is meant, add --yes (to a command over MQTT: yes=1)"
        )
    if package is not None and read_package(package.folder).build != package.build:
        raise PackageError(f"{package.label}: was replaced while it was checked; activate it again")
    stand(role, Standing(active=wanted, previous=now.active), site.state)
    return Chosen(role, package, before, True, strangers)


def _check_free_choice(role: Role, site: Site) -> None:
    if pinned := site.pinned(role):
        raise BadInput(
            f"the configuration pins the {SPOKEN[role]}: [models] {role} = {pinned!r}; take that line out (or unset "
            f"FACEEDGE__MODELS__{role.upper()}), for it wins over what is activated"
        )


def _check_fit_to_serve(package: Package, site: Site, progress: Progress) -> None:
    check_licence(package, site.models.accept_licences)
    progress(f"checking {package.label}", 0.3)
    with Workshop() as shop:
        check_package(package, shop)
    check_kin(package, (one.package for one in every_package(site.state, site.cache)))
    progress("checking its neighbours", 0.8)
    for line in misfits(package, [site.present(role, progress) for role in ROLES if role != package.manifest.role]):
        raise PackageError(line)


def _strangers(package: Package, site: Site) -> int:
    """How many people of the gallery have no template in the space of `package`."""
    if not (site.state / "gallery.db").exists():
        return 0
    try:
        with Gallery.open(site.state) as gallery:
            people = {person.id for person in gallery.people()}
            return len(people - set(gallery.templates(package.space).persons))
    except StoreError as error:
        raise StoreError(f"whom {package.label} would know cannot be told: {error}") from error
