"""All parts of one daemon, put together: configuration in, parts that know each other out. Run by `daemon.py`; these
two, and the command line, see the whole configuration.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from faceedge.batching import Batching
from faceedge.commands import Handler
from faceedge.config import Config
from faceedge.continuity import Continuity
from faceedge.deadlines import Deadlines, Place
from faceedge.decide import DEADLINE_S, PARTING, Judge
from faceedge.door.link import GrantResult
from faceedge.door_limits import Numbers
from faceedge.errors import ConfigError
from faceedge.exchange import Exchange, Terms
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.health.cameras import CameraHealth
from faceedge.health.clock import SyncWatch, WallClock
from faceedge.health.keeper import Keeper, told
from faceedge.health.metrics import Metrics, Sources
from faceedge.health.pressure import PressureGauge
from faceedge.health.scrape import MetricsServer
from faceedge.health.thermometer import Thermometer
from faceedge.jobs.build_engines import Builder
from faceedge.jobs.collector import Collector, Cut
from faceedge.jobs.enrol_mode import EnrolMode
from faceedge.jobs.obey import handlers
from faceedge.jobs.registrar import Registrar
from faceedge.jobs.roster import Roster
from faceedge.jobs.site import Site
from faceedge.jobs.vision import open_vision
from faceedge.journal.notes import Notes
from faceedge.journal.reading import last_time
from faceedge.journal.session import Session
from faceedge.lockdown import Lockdown
from faceedge.lookout import Lookout, check_files, doors_by_camera
from faceedge.manifest import Role
from faceedge.permit import Permit
from faceedge.pipeline import Pipeline
from faceedge.portions import Portions
from faceedge.publish import Publisher
from faceedge.report import Report, StateFeed
from faceedge.rules.clock import RELEASED
from faceedge.safe_mode import SafeMode
from faceedge.seams import Seams
from faceedge.stages import DetectStage, Onlookers, RecogniseStage
from faceedge.types import Decision, Shot, Template

log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]

ROSTER_WAIT_S = 1.0
"""The main thread follows the gallery, and must not be silent for longer than systemd bears."""
ENGINES_AFTER = 3
"""Faults in a row of one stage."""
ROLES: Mapping[str, tuple[Role, ...]] = {"detect": ("detector", "quality"), "recognise": ("recognizer",)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a house is made of. once: every frame of every file is processed, at its own speed. tell: receives each
    event as a dictionary of JSON types. seams: where faults are put in on purpose. safe: the safe mode that it runs in.
    """

    config: Config
    state: Path
    cache: Path
    tell: Tell
    once: bool = False
    seams: Seams = field(default_factory=Seams)
    safe: SafeMode | None = None


class House:
    """Every part, opened and connected; the threads of the pipeline do not run yet. parts: closes them in reverse.

    begin_anew: asks for another house of the configuration as it is then; raises ConfigError.
    """

    def __init__(self, plan: Plan, parts: ExitStack, begin_anew: Callable[[], None]) -> None:
        self._config = plan.config
        self._state, self._cache = plan.state, plan.cache
        self._metrics = Metrics()
        self.tell = self._metrics.hearing(plan.tell)
        self._once, self._seams, self._safe = plan.once, plan.seams, plan.safe
        self._begin_anew = begin_anew
        self.exchange: Exchange | None = None
        self._build(parts)

    def _build(self, parts: ExitStack) -> None:
        config = self._config
        check_files(config.camera)
        # First of all: without the directory a lockdown counts as on.
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.exchange = self._open_exchange()
        wake = self.exchange.wake if self.exchange is not None else None
        self.session = Session(self._state, config.journal, self.tell, wake)
        parts.callback(self.session.close)
        self.feed = StateFeed(self._state_now, self._retain_state)
        self.notes = Notes(self.session.journal, self.tell, self.feed.hurry)
        self.cameras = CameraHealth([camera.name for camera in config.camera], self.notes.camera)
        self.lockdown = Lockdown(self._state, self.notes.lockdown)
        self.keeper = self._open_keeper(parts)
        builder = Builder(self.notes.engine)
        self.vision = parts.enter_context(
            open_vision(
                config.models,
                config.engine,
                self._state,
                self._cache,
                None,
                builder,
                self._seams.engine,
                portions=Portions(self.keeper.effort, self.keeper.out_of_memory),
            )
        )
        parts.callback(builder.stop)
        gallery = Gallery.open(self._state)
        gallery.wait_at_most(ROSTER_WAIT_S)
        parts.callback(gallery.close)
        self.collector = self._open_collector(gallery, parts)
        self.roster = Roster(gallery, self.vision.metric, self.vision.space)
        self.enrol_mode = self._open_enrol_mode(parts)
        self._build_flow(parts)
        self.report = Report(
            config.door, self.vision, self.pipeline, self.publisher, self.session.journal, self.cameras,
            self.collector, self.enrol_mode, self.lockdown, self.keeper, self.exchange,
            self._safe, self._numbers.notices,
        )  # fmt: skip
        self._open_metrics(parts)
        for notice in self.report.notices():
            log.warning("%s", notice)
        builder.start()
        if self.exchange is not None:
            self.exchange.serve(self._handlers(), self.session.journal, self.feed.hurry)
            parts.callback(self.exchange.stop)
            self.exchange.start()

    def _build_flow(self, parts: ExitStack) -> None:
        watched = doors_by_camera(self._config.camera, self._config.door)
        rules, thresholds = self._config.decide, self.vision.door_thresholds
        self._numbers = Numbers.of(self._config.door, rules, thresholds, self.vision.judging)
        judge = Judge(
            rules, thresholds, partial(similarity, metric=self.vision.metric), self._numbers.by_camera(watched),
            Continuity() if rules.motion else None, self.vision.judging,
        )  # fmt: skip
        link, ask = (self.exchange.link, self.exchange.ask) if self.exchange is not None else (None, None)
        self.publisher = Publisher(
            link, watched, self.tell, self._retry, realtime=not self._once,
            journal=self.session.journal, limits=judge.limits(), own_limits=self._numbers.own_json(), ask=ask,
            is_locked=lambda: self.lockdown.is_on,
        )  # fmt: skip
        clock = None if self._once else time.monotonic
        self._deadlines = None if self._once else Deadlines(("detect", "recognise"), DEADLINE_S)
        self.recognise = RecogniseStage(
            self.vision, self.roster.identifier, judge, self.publisher, clock, self._open_permit(parts),
            Onlookers(self.collector.offer, self._watch), is_late=self._late_at("recognise"),
        )  # fmt: skip
        watch_all = self._config.health.pictures == "all"
        lookout = Lookout(self._config.camera, self.cameras, once=self._once, watch_all=watch_all)
        self.detect = DetectStage(
            self.vision, self.tell, self._late_at("crops"), lambda: self.keeper.effort().detector_scale,
            {camera.name: camera.roi for camera in self._config.camera if camera.roi is not None},
        )  # fmt: skip
        self.pipeline = Pipeline(
            lookout.sources(),
            self.keeper.minding(self._seams.stage("detect", self.detect)),
            self.keeper.minding(self._seams.stage("recognise", self.recognise)),
            self.recognise.finish,
            lossless=self._once,
            on_ended=lambda camera: self.tell({"event": "ended", "camera": camera}),
            effort=self.keeper.effort,
            most={"detect": lambda: self.vision.detector.most, "recognise": lambda: self.vision.recognizer.most},
            batching=Batching(self._config.batch.max_wait_ms / 1000, self.vision.opener.is_idle),
            deadlines=self._deadlines,
            gauge=self._metrics,
            reopen=self._reopen,
        )

    def _reopen(self, stage: str) -> None:
        """A stage that has raised begins anew, and when that does not help, with engines that were opened anew."""
        (self.detect if stage == "detect" else self.recognise).reopen()
        if self.pipeline.hearts[stage].streak % ENGINES_AFTER == 0:
            for role in ROLES[stage]:
                self.vision.renew(role)
                self.pipeline.hearts[stage].beat()

    def _open_keeper(self, parts: ExitStack) -> Keeper:
        thermometer = Thermometer(self._config.health.telemetry)
        parts.callback(thermometer.stop)
        thermometer.start()
        return Keeper(
            self._config.batch.max, PressureGauge().read, lambda: thermometer.newest,
            lambda step: self.notes.governor(told(step)), self._give_back,
        )  # fmt: skip

    def _give_back(self) -> None:
        """Networks have taken memory for more than they are to do from now on."""
        self.vision.trim()

    def _late_at(self, place: Place) -> Callable[[float], bool]:
        """Whether a picture of this moment is too late there. A film that is worked through is never late."""
        deadlines = self._deadlines
        return lambda captured: deadlines is not None and deadlines.is_late(place, captured, time.monotonic())

    def _watch(self, shot: Shot, template: Template | None) -> None:
        if shot.is_cut:
            self.cameras.graded(shot.camera, shot.assessment.quality, shot.track)
        self.enrol_mode.see(shot, template)

    def _open_collector(self, gallery: Gallery, parts: ExitStack) -> Collector:
        cut = Cut(self.vision.alignment, self.vision.recognizer_build)
        collector = Collector(self._config.capture, self._state, cut, may=lambda: self.keeper.effort().extras)
        collector.start(is_empty=not gallery.captured.kept())
        parts.callback(collector.stop)
        return collector

    def _open_enrol_mode(self, parts: ExitStack) -> EnrolMode:
        cameras = [camera.name for camera in self._config.camera]
        registrar = Registrar(self.vision, partial(Gallery.open, self._state))
        mode = EnrolMode(cameras, registrar, self.session.journal, self.tell, self.feed.hurry)
        parts.callback(mode.stop)
        return mode

    def _open_permit(self, parts: ExitStack) -> Callable[[Decision], Decision]:
        """What every decision must pass: no enrolment before its camera, no lockdown, pictures to trust, the rules."""
        self.sync = SyncWatch()
        parts.callback(self.sync.close)
        not_before = last_time(self._state / "journal.db") or RELEASED
        wall = WallClock(self.sync, self._config.clock.require_sync, not_before, self._seams.wall)
        watched = doors_by_camera(self._config.camera, self._config.door)
        doors = {camera: [door.name for door in doors] for camera, doors in watched.items()}
        permit = Permit(
            lambda: self.roster.book, doors, wall.now, self._retry, lambda: self.lockdown.is_on,
            self.cameras.why_shut,
        )  # fmt: skip
        return lambda decision: permit(self.enrol_mode.shut(self._timed(decision)))

    def _timed(self, decision: Decision) -> Decision:
        if not self._once:
            outcome = "left" if decision.reason in PARTING else decision.outcome
            self._metrics.decided(outcome, time.monotonic() - decision.evidence.captured)
        return decision

    def _open_metrics(self, parts: ExitStack) -> None:
        """Nobody is locked out because a port is taken: without metrics the door works as it does with them."""
        if not (where := self._config.health.metrics):
            return
        self._metrics.sources = Sources(
            self.report.counters, self.pipeline.queues, self.report.cameras_ok, self.keeper.readings
        )
        try:
            server = MetricsServer(where, self._metrics.registry)
        except ConfigError as error:
            log.error("no metrics: %s", error)
            return
        parts.callback(server.stop)
        server.start()

    def _open_exchange(self) -> Exchange | None:
        config = self._config
        if not config.door:
            log.warning("no [[door]] is configured: decisions are told, nothing can open")
            return None
        cameras = tuple(camera.name for camera in config.camera)
        terms = Terms(config.device, config.broker, config.door, cameras, config.events, config.home_assistant)
        return Exchange(terms, self._state, self._result)

    def _handlers(self) -> dict[str, Handler]:
        """What a signed command can do here."""
        site = Site(self._state, self._cache, self._config.models)
        return {
            **handlers(self.lockdown, site, self._begin_anew),
            "confirm": lambda args, _key: self.recognise.confirm(str(args["decision"])),
            "enrol": lambda args, _key: self.enrol_mode.begin(args),
            "enrol_stop": lambda _args, _key: self.enrol_mode.end(),
        }

    def _result(self, result: GrantResult) -> None:
        self.publisher.result(result)

    def _retry(self, camera: str, track: int, segment: int) -> None:
        self.recognise.retry(camera, track, segment)

    def _state_now(self) -> dict[str, Any]:
        return self.report.state()

    def _retain_state(self, state: bytes) -> None:
        if self.exchange is not None:
            self.exchange.retain_state(state)
