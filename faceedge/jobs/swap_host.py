"""What networks serve in, as far as a swap needs it: a running daemon (`changing.py`), or a process without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from faceedge.gallery.base import Levels
from faceedge.health.starts import Moment
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.package import Package


class Ready(Protocol):
    """Networks that are opened beside those that serve, and what a trial of them has shown."""

    @property
    def vision(self) -> Vision:
        """All roles as they will serve."""
        ...

    @property
    def report(self) -> Mapping[str, Any]:
        """Of shadow and canary, in JSON types; empty where there was none."""
        ...


R = TypeVar("R", bound=Ready)


class Host(Protocol[R]):
    """What networks serve in: a running daemon, or a process without one."""

    def serving(self) -> Vision | None:
        """The networks that decide now; None where none do."""
        ...

    def prepare(self, packages: Mapping[Role, Package | None], *, dual: bool) -> R:
        """Opens these beside, warms them up, and asks them once. None: the role goes without.

        Raises PackageError, or EngineError, which says how much memory is missing; then nothing is left of it.
        """
        ...

    def levels(self, ready: R) -> Levels | None:
        """Scores by which the doors will ask who looks like whom; None where none does."""
        ...

    def moment(self) -> Moment | None:
        """When it is, for what serves from now on; None where nothing serves before the next start."""
        ...

    def pace(self) -> None:
        """Called between batches of long work: waits while the door needs the machine."""
        ...

    def trial(self, ready: R, *, shadow_s: float, canary: float, told: Callable[[float, str], None]) -> str:
        """Lets the new ones look on, then decide with the old ones. Empty when they may serve, else why not."""
        ...

    def switch(self, ready: R) -> None:
        """Every stage has taken the new ones when it returns. Raises FaceedgeError, and then the old ones serve."""
        ...

    def retire(self) -> None:
        """Gives the memory of networks back that nobody uses."""
        ...

    def drop(self, ready: R) -> None:
        """What was prepared does not serve after all. Never raises."""
        ...
