"""Which packages have served, newest first, and which of them may go: `<state>/models/former.json`.

What served once is checked already, so that the way back to it is short. A damaged file is no memory: then everything
is checked anew, and nothing is deleted.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from faceedge.errors import FaceedgeError
from faceedge.files import write_whole
from faceedge.jobs.choose_model import check_idle
from faceedge.jobs.site import Site
from faceedge.manifest import Role
from faceedge.models.place import remove_package
from faceedge.models.store import DEFAULTS, find_package
from faceedge.package import Package

log = logging.getLogger(__name__)

NAME = "former.json"
MOST_BYTES = 1 << 16
MOST = 64
"""Remembered a role."""


class Served(BaseModel):
    """A package by label, and by what it was then."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    build: str


class _Memory(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: dict[Role, tuple[Served, ...]] = {}


def has_served(package: Package, state: Path) -> bool:
    """Whether just this package has served its role here."""
    return Served(package=package.label, build=package.build) in _read(state).roles.get(package.manifest.role, ())


def note_served(package: Package, state: Path) -> None:
    """It serves now. What cannot be written is checked again next time, and never deleted by itself."""
    role, memory = package.manifest.role, _read(state)
    served = Served(package=package.label, build=package.build)
    others = [one for one in memory.roles.get(role, ()) if one != served]
    roles = {**memory.roles, role: (served, *others)[:MOST]}
    with suppress(OSError):
        path = state / "models" / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _Memory(roles=roles).model_dump_json().encode(), 0o600)


def prune(role: Role, keep: int, site: Site) -> list[str]:
    """Deletes packages that have served `role`, but for the newest `keep` beside the one that serves; their labels.

    What never served, what is not as it was, and what anything still names stays.
    """
    present = site.at_hand(role)
    former = [
        one for one in _read(site.state).roles.get(role, ())
        if (present is None or one.package != present.label) and _is_there(one, site)
    ]  # fmt: skip
    gone = []
    for one in former[keep:]:
        label = one.package
        try:
            remove_package(label, site.state, lambda label=label: check_idle(label, site))  # type: ignore[misc]
        except FaceedgeError as error:
            log.info("%s is kept: %s", label, error)
            continue
        gone.append(label)
    return gone


def _is_there(served: Served, site: Site) -> bool:
    if served.package.partition("@")[0] in DEFAULTS:
        return False
    try:
        return find_package(served.package, site.state, site.cache).build == served.build
    except FaceedgeError:
        return False


def _read(state: Path) -> _Memory:
    path = state / "models" / NAME
    try:
        return _Memory.model_validate_json(path.read_bytes()[:MOST_BYTES])
    except FileNotFoundError:
        return _Memory()
    except (OSError, ValidationError):
        log.warning("%s: cannot be read; no package is deleted by itself", path)
        return _Memory()
