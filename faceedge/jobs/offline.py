"""A swap where no daemon runs: what is to serve is opened and asked once, and then stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from faceedge.config import EngineSettings
from faceedge.errors import BadInput, PackageError
from faceedge.gallery.base import Levels
from faceedge.jobs.engines import engines_of
from faceedge.jobs.site import ROLES, Site
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.package import Package

PROOF_PX = (480, 270)


@dataclass(frozen=True, slots=True)
class _Opened:
    vision: Vision
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Offline:
    """The `Host` of a process in which no networks serve, in a `with` block. levels_of: as `Host.levels` has it."""

    site: Site
    engine: EngineSettings
    levels_of: Callable[[Vision], Levels | None]
    _opened: list[Vision] = field(default_factory=list)

    def __enter__(self) -> Offline:
        return self

    def __exit__(self, *_: object) -> None:
        for vision in self._opened:
            vision.close()

    def serving(self) -> None:
        """See `Host.serving`."""

    def prepare(self, packages: Mapping[Role, Package | None], *, dual: bool) -> _Opened:
        """See `Host.prepare`. Raises BadInput for what only a daemon can do."""
        if dual:
            raise BadInput("no daemon runs that could keep the old recogniser beside the new one; leave --dual out")
        found = {role: packages[role] if role in packages else self.site.present(role) for role in ROLES}
        detector, recognizer = found["detector"], found["recognizer"]
        if detector is None or recognizer is None:
            raise PackageError("without a detector and a recogniser nobody is recognised; name a package")
        vision = Vision(detector, recognizer, engines_of(self.engine, self.site.state), found["quality"])
        self._opened.append(vision)
        vision.prove(*PROOF_PX)
        return _Opened(vision)

    def levels(self, ready: _Opened) -> Levels | None:
        """See `Host.levels`."""
        return self.levels_of(ready.vision)

    def moment(self) -> None:
        """See `Host.moment`."""

    def pace(self) -> None:
        """See `Host.pace`: no door waits."""

    def trial(self, ready: _Opened, *, shadow_s: float, canary: float, told: Callable[[float, str], None]) -> str:  # noqa: ARG002
        """See `Host.trial`: nobody comes by."""
        return "no daemon runs, so there is nobody to look at; leave --shadow and --canary out"

    def switch(self, ready: _Opened) -> None:
        """See `Host.switch`: the next start takes what stands on disk."""

    def retire(self) -> None:
        """See `Host.retire`."""

    def drop(self, ready: _Opened) -> None:
        """See `Host.drop`: the end of the block does it."""
