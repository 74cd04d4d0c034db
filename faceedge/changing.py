"""Other networks in a running daemon: opened beside those that serve, tried beside them, then serving in their place.

The `Host` of `jobs/swap.py`: its orders come from one thread at a time, `follow` from the main thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceedge.asking import Asking
from faceedge.bundle import Bundle
from faceedge.config import Config
from faceedge.door_limits import loosened
from faceedge.effort import Effort
from faceedge.errors import ConfigError, EngineError, FaceedgeError, PackageError
from faceedge.flow import Flow
from faceedge.gallery.base import Levels
from faceedge.gallery.store import Gallery
from faceedge.health.starts import Moment, now
from faceedge.jobs.aside import aside
from faceedge.jobs.build_engines import Ending
from faceedge.jobs.look_alikes import demanded
from faceedge.jobs.open_vision import sufferance
from faceedge.jobs.room import Task, missing
from faceedge.jobs.roster import Roster
from faceedge.jobs.vision import Vision
from faceedge.manifest import Role
from faceedge.models.store import find_package
from faceedge.package import Package, read_package
from faceedge.trial import Rules
from faceedge.trying import Stage, shadowed, shared

log = logging.getLogger(__name__)

PROOF_PX = (480, 270)
"""Of the picture that networks are asked about before they serve, where no camera is asked for a size."""
PACE_S = 0.25
CANARY_S = 600.0


@dataclass(slots=True, eq=False)
class Beside:
    """Networks that are opened beside those that serve. bundle: once they were to look at people."""

    vision: Vision
    dual: bool = False
    report: Mapping[str, Any] = field(default_factory=dict)
    bundle: Bundle | None = None


class Changing:
    """gallery: of `state`, the main thread's. taken: told once other networks serve. effort: of the governor."""

    def __init__(
        self,
        flow: Flow,
        config: Config,
        state: Path,
        cache: Path,
        gallery: Gallery,
        taken: Callable[[Bundle], None],
        effort: Callable[[], Effort],
    ) -> None:
        self._flow = flow
        self._accepted = config.models.accept_licences
        self._votes = config.decide.votes
        self._state, self._cache = state, cache
        self._gallery = gallery
        self._taken = taken
        self._effort = effort
        self._size = next(((one.width, one.height) for one in config.camera if one.width and one.height), PROOF_PX)
        self._number = flow.serving.number
        self._rosters: tuple[Roster, ...] = (flow.serving.roster,)
        self._before: Bundle | None = None
        self._asking = Asking(flow, state, gallery)
        self._ending = Ending()
        self._stop = threading.Event()

    @property
    def bundle(self) -> Bundle:
        """Which serves now."""
        return self._flow.serving

    @property
    def notices(self) -> tuple[str, ...]:
        """What somebody should know."""
        return self._asking.notices

    def prove(self) -> None:
        """Asks those that serve once. Raises EngineError when one gives no answer."""
        self.serving().prove(*self._size)

    def resume(self) -> None:
        """After a start: the recogniser before is asked again, where it was when the daemon ended. Raises FaceedgeError
        when it cannot be opened, and then those whom only it knows are let in by nobody."""
        if not (before := self._asking.wanted()):
            return
        try:
            self._before = self._asked_again(find_package(before, self._state, self._cache))
        except FaceedgeError as error:
            raise EngineError(self._asking.unasked(error)) from error

    def _asked_again(self, package: Package) -> Bundle:
        ready = self.prepare({"recognizer": package}, dual=True)
        try:
            former = self._bundle(ready.vision)
            self._asking.begin(former)
        except BaseException:
            self.drop(ready)
            raise
        return former

    def follow(self) -> None:
        """Loads what has changed in the gallery; the main thread calls it every second."""
        for roster in self._rosters:
            roster.follow()

    def trim(self) -> None:
        """See `Vision.trim`, of everything that is open."""
        for bundle in self._open():
            bundle.vision.trim()

    def leave(self) -> None:
        """The daemon ends: nothing is waited for any more."""
        self._stop.set()
        self._ending.set()

    def close(self) -> None:
        """Gives all networks' memory back."""
        self._asking.close()
        for bundle in self._open():
            bundle.vision.close()

    def serving(self) -> Vision:
        """See `Host.serving`."""
        return self.bundle.vision

    def prepare(self, packages: Mapping[Role, Package | None], *, dual: bool) -> Beside:
        """See `Host.prepare`. What served before is still open, and is used as it is."""
        serving = self.serving()
        self._make_room(packages)
        there = [package for package in {**serving.packages, **packages}.values() if package is not None]
        spare = self._before.vision if self._before is not None else None
        vision = serving.beside(packages, sufferance(there, self._accepted), spare)
        try:
            self._check_doors(vision)
            self._settle(vision)
            aside(lambda: vision.prove(*self._size))
            for package in there:
                if read_package(package.folder).build != package.build:
                    raise PackageError(f"{package.label}: was replaced while it was opened; activate it again")
        except BaseException:
            vision.close()
            raise
        return Beside(vision, dual)

    def levels(self, ready: Beside) -> Levels | None:
        """See `Host.levels`."""
        return demanded(self._flow.numbers(ready.vision))

    def moment(self) -> Moment:
        """See `Host.moment`."""
        return now()

    def pace(self) -> None:
        """See `Host.pace`: as long as the door can spare nothing."""
        while not self._effort().extras and not self._stop.wait(PACE_S):
            pass

    def trial(self, ready: Beside, *, shadow_s: float, canary: float, told: Callable[[float, str], None]) -> str:
        """See `Host.trial`. Whoever is to have a say without having looked on has it for `CANARY_S`."""
        serving = self.bundle
        bundle = ready.bundle = ready.bundle or self._bundle(ready.vision)
        stage = Stage(
            self._flow.detect, self._flow.recognise, Rules(votes=self._votes), lambda: self._effort().extras,
            self._flow.detects_s, self._stop,
        )  # fmt: skip
        why = ""
        if shadow_s:
            why, report = shadowed(stage, serving, bundle, shadow_s, told)
            ready.report = {"shadow": report}
        if canary and not why:
            why, report = shared(stage, serving, bundle, canary, shadow_s or CANARY_S, told)
            ready.report = {**ready.report, "canary": report}
        return why

    def switch(self, ready: Beside) -> None:
        """See `Host.switch`."""
        bundle = ready.bundle = ready.bundle or self._bundle(ready.vision)
        before = self.bundle
        bundle.vision.begin()
        with self._asking.silent():
            self._flow.change(bundle)
        older, self._before = self._before, before
        self._rosters = tuple(one.roster for one in (bundle, before, older) if one is not None)
        try:
            self._taken(bundle)
            self._ask_on(ready, bundle, before, older)
        except Exception:  # ours; they serve, and whoever is told otherwise goes back to what does not
            log.exception("internal fault after other networks have begun to serve")
        finally:
            if older is not None:
                older.vision.close()
            self._rosters = tuple(one.roster for one in self._open())

    def _ask_on(self, ready: Beside, bundle: Bundle, before: Bundle, older: Bundle | None) -> None:
        """Whoever was asked about people whom the recogniser does not know goes on being asked while that stays, and
        whoever served is asked where that was ordered."""
        asked = older if self._asking.is_on else None
        self._asking.end()
        try:
            if before.vision.space != bundle.vision.space:
                if ready.dual:
                    self._asking.begin(before)
            elif asked is not None:
                self._before = self._behind(bundle, asked)
                before.vision.close()
                self._asking.begin(self._before)
        except FaceedgeError as error:
            why = self._asking.unasked(error)
            ready.report = {**ready.report, "dual": {"against": why}}
            log.error("%s", why)

    def _behind(self, bundle: Bundle, asked: Bundle) -> Bundle:
        """The recogniser that is asked, with whatever else serves now."""
        vision = bundle.vision.beside({"recognizer": asked.vision.recognizer_package}, spare=asked.vision)
        try:
            return self._bundle(vision)
        except BaseException:
            vision.close()
            raise

    def retire(self) -> None:
        """See `Host.retire`. What served last stays open as long as there is room for as much once more."""
        if self._before is None or self._asking.is_on:
            return
        theirs = [one for one in self._before.vision.packages.values() if not self.serving().has_open(one)]
        if missing(theirs, self.serving().opener, self._task()):
            self._close_former()

    def drop(self, ready: Beside) -> None:
        """See `Host.drop`."""
        if ready.bundle is self.bundle:
            return
        ready.vision.close()
        self._rosters = tuple(bundle.roster for bundle in self._open())

    def _make_room(self, packages: Mapping[Role, Package | None]) -> None:
        """For those of them that are not open. What is kept for the way back goes first. Raises EngineError."""
        lack = self._lack(packages)
        if lack and self._before is not None and not self._asking.is_on:
            self._close_former()
            lack = self._lack(packages)
        if lack:
            raise EngineError(lack)

    def _lack(self, packages: Mapping[Role, Package | None]) -> str:
        visions = [bundle.vision for bundle in self._open()]
        closed = [
            package
            for package in packages.values()
            if package is not None and not any(vision.has_open(package) for vision in visions)
        ]
        return missing(closed, self.serving().opener, self._task())

    def _check_doors(self, vision: Vision) -> None:
        """Raises ConfigError when a door's own numbers do not go with them, or let in more than is meant."""
        if vision.space == self.serving().space:
            return
        if why := loosened(self.bundle.numbers, self._flow.numbers(vision)):
            raise ConfigError(why)

    def _task(self) -> Task:
        return Task(self._size, self._effort().batch)

    def _close_former(self) -> None:
        former, self._before = self._before, None
        self._rosters = (self.bundle.roster,)
        if former is not None:
            former.vision.close()

    def _settle(self, vision: Vision) -> None:
        """Waits for engines that are built in a process of their own, while what serves goes on. Where that runs on the
        CPU itself, as on a board whose GPU fails, the other one may as well. Raises EngineError."""
        serving = self.serving().engines
        there = [engine for bundle in self._open() for engine in bundle.vision.engines.values()]
        for role, engine in vision.engines.items():
            is_new = all(engine is not one for one in there)
            if is_new and role in serving and serving[role].device != "cpu":
                vision.opener.settle(engine, self._ending, lambda _share: None)

    def _bundle(self, vision: Vision) -> Bundle:
        """The people as these networks know them. Raises StoreError, ConfigError."""
        with Gallery.open(self._state) as gallery:  # of this thread
            known = next((one for one in self._rosters if one.space == vision.space), None)
            roster = Roster(gallery, vision.metric, vision.space, like=known)
            bundle = self._flow.bundle(self._next(), vision, roster)
            roster.hand_to(self._gallery)
        self._rosters = (*self._rosters, roster)
        return bundle

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _open(self) -> list[Bundle]:
        before = self._before  # read once: the main thread asks, too
        return [self.bundle, *([before] if before is not None else [])]
