"""Another network in place of the one that serves, in five steps, while the door goes on: `swap`.

Run by `jobs/swapper.py` in a daemon, and by `faceedge model activate|rollback` where none runs. What is swapped in
memory is the `Host`'s; what stands on disk is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.package import Package

Step = Literal["stage", "verify", "prepare", "switch", "retire"]
STEPS: tuple[Step, ...] = ("stage", "verify", "prepare", "switch", "retire")
Told = Callable[[Step, float, str], None]
"""Hears which step is at work, the share of it that is done (0..1), and what is being done, in words."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to serve. name: `name` or `name@version`; empty: the one that served `role` before.

    role: may be None where a name says it. shadow_s: how long the new one looks on before it serves. canary: share of
    tracks (0..1) that it then decides together with the old one. dual: people whom it cannot know are still recognised
    by the old one. agreed: also when people then must be enrolled again. accept_worse: why an INT8 package without
    passed gates is to serve. by: `cli`, `mqtt:<kid>`, or `rule`.
    """

    role: Role | None = None
    name: str = ""
    shadow_s: float = 0.0
    canary: float = 0.0
    dual: bool = False
    agreed: bool = False
    accept_worse: str = ""
    by: str = "cli"


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


class Host(Protocol):
    """What networks serve in: a running daemon, or a process without one."""

    def serving(self) -> Vision | None:
        """The networks that decide now; None where none do."""
        ...

    def prepare(self, packages: Mapping[Role, Package | None], *, dual: bool) -> Ready:
        """Opens these beside, warms them up, and asks them once. None: the role goes without.

        Raises PackageError, or EngineError, which says how much memory is missing; then nothing is left of it.
        """
        ...

    def pace(self) -> None:
        """Called between batches of long work: waits while the door needs the machine."""
        ...

    def trial(self, ready: Ready, *, shadow_s: float, canary: float, told: Callable[[float, str], None]) -> str:
        """Lets the new ones look on, then decide with the old ones. Empty when they may serve, else why not."""
        ...

    def switch(self, ready: Ready) -> None:
        """Every stage has taken the new ones when it returns. Raises FaceedgeError, and then the old ones serve."""
        ...

    def retire(self) -> None:
        """Gives the memory of networks back that nobody uses."""
        ...

    def drop(self, ready: Ready) -> None:
        """What was prepared does not serve after all. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Swapped:
    """What serves a role now; package: None is no network at all. before: label of what served it until now. is_new:
    whether that is a change. embedded: templates that were made anew. unknown: ids of people who must be enrolled
    again. report: of the trial."""

    role: Role
    package: Package | None
    before: str
    is_new: bool
    embedded: int = 0
    unknown: Sequence[str] = ()
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.package.label if self.package else "none"
