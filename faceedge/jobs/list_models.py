"""Every package of an installation, with how it stands: active, previous, broken, of a licence that is refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.jobs.on_trial import read_trials
from faceedge.jobs.site import ROLES, Site
from faceedge.manifest import Role
from faceedge.models.active import BUILT_IN, chosen, standing
from faceedge.models.licence import is_allowed
from faceedge.models.store import Found, every_package


@dataclass(frozen=True, slots=True)
class Row:
    """standing: `active`, `pinned` (active by the configuration), `previous` or empty. bytes: of all its files.
    is_on_trial: a bad end of the daemon in the first ten minutes starts the one before."""

    found: Found
    role: str
    standing: str
    is_allowed: bool
    bytes: int
    is_on_trial: bool


def list_rows(site: Site) -> tuple[list[Row], list[str]]:
    """All packages, the built-in ones first, and what is wrong beside them. Raises nothing for broken ones."""
    found = every_package(site.state, site.cache)
    marks: dict[str, str] = {}
    faults: list[str] = []
    for role in ROLES:
        try:
            marks |= _marks(role, found, site)
        except StoreError as error:
            faults = [str(error)]
    trials = read_trials(site.state).roles
    return [_row(one, marks, trials, site) for one in found], faults


def _marks(role: Role, found: list[Found], site: Site) -> dict[str, str]:
    """How the packages of one role stand, by label."""
    now, pinned = standing(role, site.state), site.pinned(role)
    marks = {}
    if now.active != now.previous and not pinned:
        marks[_label(now.previous or BUILT_IN.get(role, ""), found)] = "previous"
    marks[_label(chosen(role, pinned, site.state), found)] = "pinned" if pinned else "active"
    return marks


def _label(name: str, found: list[Found]) -> str:
    """The package that a name means: without version the highest, which comes last."""
    if "@" in name:
        return name
    return next((one.label for one in reversed(found) if one.label.partition("@")[0] == name), name)


def _row(one: Found, marks: dict[str, str], trials: Collection[str], site: Site) -> Row:
    package = one.package
    role = package.manifest.role if package else _built_in_role(one)
    licence = package.manifest.source.licence if package else ""
    mark = marks.get(one.label, "")
    return Row(
        one, role, mark, is_allowed(licence, site.models.accept_licences), _bytes(one.folder),
        mark == "active" and role in trials,
    )  # fmt: skip


def _built_in_role(one: Found) -> str:
    """A built-in package that was not imported yet has no manifest to ask."""
    return next((role for role, name in BUILT_IN.items() if one.is_built_in and one.label.startswith(f"{name}@")), "")


def _bytes(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    except OSError:
        return 0
