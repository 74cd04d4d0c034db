"""One installation's networks: where they lie, and which of them serve, by configuration, choice and store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge.config import Models
from faceedge.errors import FaceedgeError
from faceedge.manifest import SPOKEN, Role
from faceedge.models.active import chosen
from faceedge.models.defaults import FOLDER, is_whole
from faceedge.models.store import DEFAULTS, find_package
from faceedge.package import Package

__all__ = ["ROLES", "SPOKEN", "Site"]

Progress = Callable[[str, float], None]
ROLES: tuple[Role, ...] = ("detector", "recognizer", "quality")


@dataclass(frozen=True, slots=True)
class Site:
    """models: what the configuration says of networks."""

    state: Path
    cache: Path
    models: Models

    def pinned(self, role: Role) -> str:
        """What the configuration pins for a role; empty when the choice is free."""
        name: str = getattr(self.models, role)
        return name

    def present(self, role: Role, progress: Progress | None = None) -> Package | None:
        """The package that a start would take now; None when the role has none. Imports a built-in one."""
        name = chosen(role, self.pinned(role), self.state)
        return find_package(name, self.state, self.cache, progress) if name else None

    def at_hand(self, role: Role) -> Package | None:
        """The same without importing anything, and None when it is broken."""
        try:
            name = chosen(role, self.pinned(role), self.state)
            if name.partition("@")[0] in DEFAULTS and not is_whole(self.cache / FOLDER):
                return None
            return self.present(role)
        except FaceedgeError:
            return None
