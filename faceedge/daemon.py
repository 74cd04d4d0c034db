"""Composition root: configuration -> parts -> pipeline -> wait for a signal -> stop in reverse.

The only module beside the command line that sees the whole configuration.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from faceedge import __version__
from faceedge.batching import Batching
from faceedge.commands import Handler
from faceedge.config import Config
from faceedge.continuity import Continuity
from faceedge.deadlines import Deadlines, Place
from faceedge.decide import DEADLINE_S, PARTING, Judge
from faceedge.door.link import GrantResult
from faceedge.door_limits import Numbers
from faceedge.errors import ConfigError, FaceedgeError
from faceedge.exchange import Exchange, Terms
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.health.cameras import CameraHealth
from faceedge.health.clock import SyncWatch, WallClock
from faceedge.health.keeper import Keeper, told
from faceedge.health.metrics import Metrics, Sources
from faceedge.health.pressure import PressureGauge
from faceedge.health.scrape import MetricsServer
from faceedge.health.systemd import Systemd
from faceedge.health.thermometer import Thermometer
from faceedge.health.watchdog import Vital, ailments
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
from faceedge.safe_mode import Care
from faceedge.seams import Seams
from faceedge.stages import DetectStage, Onlookers, RecogniseStage
from faceedge.supervise import STUCK_EXIT, Supervisor
from faceedge.types import Decision, Shot, Template

log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]

ROSTER_WAIT_S = 1.0
"""The main thread follows the gallery, and must not be silent for longer than systemd bears."""
ENGINES_AFTER = 3
"""Faults in a row of one stage."""
ROLES: Mapping[str, tuple[Role, ...]] = {"detect": ("detector", "quality"), "recognise": ("recognizer",)}
PROOF_PX = (480, 270)
"""Of the picture that the networks are asked about before the start, where no camera is asked for a size."""
LEAVE_WITHIN_S, LAST_WORDS_S, BREATH_S = 1.0, 0.4, 0.1
"""For a process that hangs; of that for its last words in the journal, and for the threads that still live: whoever
reads the events is told, and the processes of cameras are ended."""
BEGIN_ANEW = -1
"""In place of an exit code: the configuration has changed, make another daemon of it."""


class Daemon:
    """One running door. `run` returns the exit code.

    once: every frame of every file is processed, at its own speed, and then the daemon ends.
    tell: receives each event as a dictionary of JSON types. check: raises ConfigError when the configuration, as it is
    on disk now, is no good. seams: where faults are put in on purpose. care: what is done for the next start.
    """

    def __init__(
        self,
        config: Config,
        state: Path,
        cache: Path,
        tell: Tell,
        *,
        once: bool = False,
        check: Callable[[], object] = lambda: None,
        seams: Seams | None = None,
        care: Care | None = None,
    ) -> None:
        if not config.camera:
            raise ConfigError('no camera: add [[camera]] with uri = "file:clip.mp4", "rtsp://…" or "/dev/video0"')
        self._config = config
        self._state = state
        self._cache = cache
        self._metrics = Metrics()
        self._tell = self._metrics.hearing(tell)
        self._once = once
        self._check = check
        self._seams = seams or Seams()
        self._care = care
        self._is_leaving = self._begins_anew = False
        self._systemd = Systemd()
        self._exchange: Exchange | None = None

    def run(self) -> int:
        """Builds all parts, runs until a signal, a new configuration or the last frame of every file, stops them."""
        with ExitStack() as parts:
            parts.callback(self._systemd.close)
            self._systemd.starting()
            self._build(parts)
            self._prove()
            self._session.started(self._report.standing(self._config.device, self._config.capture))
            self._pipeline.start()
            parts.callback(self._stop_pipeline)
            self._tell_mode()
            self._systemd.ready(self._report.status())
            self._tell({"event": "ready", "version": __version__, "builds": dict(self._vision.builds)})
            code = self._supervisor().run(once=self._once)
            (self._systemd.reloading if self._begins_anew else self._systemd.stopping)()
        self._tell({"event": "stopped", "counters": self._report.counters()})
        return BEGIN_ANEW if self._begins_anew else code

    def stop(self, *_: object) -> None:
        """Asks for a clean end; safe in a signal handler, where an Event could wait for its own thread for ever."""
        self._is_leaving = True

    def _begin_anew(self) -> None:
        """Ends this run so that another begins with the configuration as it is then. Raises ConfigError."""
        self._check()
        self._begins_anew = self._is_leaving = True

    def _prove(self) -> None:
        """Nobody is told that the door serves before the networks have answered. Raises EngineError."""
        if not self._once:
            size = next(((one.width, one.height) for one in self._config.camera if one.width and one.height), PROOF_PX)
            self._vision.prove(*size)

    def _tell_mode(self) -> None:
        if self._care is not None and self._care.safe is not None:
            self._notes.safe_mode(True, self._care.safe.why)
        elif self._care is not None and self._care.is_over:
            self._notes.safe_mode(False, "the current configuration is tried")

    def _build(self, parts: ExitStack) -> None:
        config = self._config
        check_files(config.camera)
        # First of all: without the directory a lockdown counts as on.
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._exchange = self._open_exchange()
        wake = self._exchange.wake if self._exchange is not None else None
        self._session = Session(self._state, config.journal, self._tell, wake)
        parts.callback(self._session.close)
        self._feed = StateFeed(self._state_now, self._retain_state)
        self._notes = Notes(self._session.journal, self._tell, self._feed.hurry)
        self._cameras = CameraHealth([camera.name for camera in config.camera], self._notes.camera)
        self._lockdown = Lockdown(self._state, self._notes.lockdown)
        self._keeper = self._open_keeper(parts)
        builder = Builder(self._notes.engine)
        self._vision = parts.enter_context(
            open_vision(
                config.models,
                config.engine,
                self._state,
                self._cache,
                None,
                builder,
                self._seams.engine,
                portions=Portions(self._keeper.effort, self._keeper.out_of_memory),
            )
        )
        parts.callback(builder.stop)
        gallery = Gallery.open(self._state)
        gallery.wait_at_most(ROSTER_WAIT_S)
        parts.callback(gallery.close)
        self._collector = self._open_collector(gallery, parts)
        self._roster = Roster(gallery, self._vision.metric, self._vision.space)
        self._enrol_mode = self._open_enrol_mode(parts)
        self._build_flow(parts)
        self._report = Report(
            config.door, self._vision, self._pipeline, self._publisher, self._session.journal, self._cameras,
            self._collector, self._enrol_mode, self._lockdown, self._keeper, self._exchange,
            self._care.safe if self._care is not None else None, self._numbers.notices,
        )  # fmt: skip
        self._open_metrics(parts)
        for notice in self._report.notices():
            log.warning("%s", notice)
        builder.start()
        if self._exchange is not None:
            self._exchange.serve(self._handlers(), self._session.journal, self._feed.hurry)
            parts.callback(self._exchange.stop)
            self._exchange.start()

    def _build_flow(self, parts: ExitStack) -> None:
        watched = doors_by_camera(self._config.camera, self._config.door)
        rules, thresholds = self._config.decide, self._vision.door_thresholds
        self._numbers = Numbers.of(self._config.door, rules, thresholds)
        judge = Judge(
            rules, thresholds, partial(similarity, metric=self._vision.metric), self._numbers.by_camera(watched),
            Continuity() if rules.motion else None,
        )  # fmt: skip
        link, ask = (self._exchange.link, self._exchange.ask) if self._exchange is not None else (None, None)
        self._publisher = Publisher(
            link, watched, self._tell, self._retry, realtime=not self._once,
            journal=self._session.journal, limits=judge.limits(), own_limits=self._numbers.own_json(), ask=ask,
            is_locked=lambda: self._lockdown.is_on,
        )  # fmt: skip
        clock = None if self._once else time.monotonic
        self._deadlines = None if self._once else Deadlines(("detect", "recognise"), DEADLINE_S)
        self._recognise = RecogniseStage(
            self._vision, self._roster.identifier, judge, self._publisher, clock, self._open_permit(parts),
            Onlookers(self._collector.offer, self._watch), is_late=self._late_at("recognise"),
        )  # fmt: skip
        watch_all = self._config.health.pictures == "all"
        lookout = Lookout(self._config.camera, self._cameras, once=self._once, watch_all=watch_all)
        self._detect = DetectStage(
            self._vision, self._tell, self._late_at("crops"), lambda: self._keeper.effort().detector_scale,
            {camera.name: camera.roi for camera in self._config.camera if camera.roi is not None},
        )  # fmt: skip
        self._pipeline = Pipeline(
            lookout.sources(),
            self._keeper.minding(self._seams.stage("detect", self._detect)),
            self._keeper.minding(self._seams.stage("recognise", self._recognise)),
            self._recognise.finish,
            lossless=self._once,
            on_ended=lambda camera: self._tell({"event": "ended", "camera": camera}),
            effort=self._keeper.effort,
            most={"detect": lambda: self._vision.detector.most, "recognise": lambda: self._vision.recognizer.most},
            batching=Batching(self._config.batch.max_wait_ms / 1000, self._vision.opener.is_idle),
            deadlines=self._deadlines,
            gauge=self._metrics,
            reopen=self._reopen,
        )

    def _reopen(self, stage: str) -> None:
        """A stage that has raised begins anew, and when that does not help, with engines that were opened anew."""
        (self._detect if stage == "detect" else self._recognise).reopen()
        if self._pipeline.hearts[stage].streak % ENGINES_AFTER == 0:
            for role in ROLES[stage]:
                self._vision.renew(role)

    def _open_keeper(self, parts: ExitStack) -> Keeper:
        thermometer = Thermometer(self._config.health.telemetry)
        parts.callback(thermometer.stop)
        thermometer.start()
        return Keeper(
            self._config.batch.max, PressureGauge().read, lambda: thermometer.newest,
            lambda step: self._notes.governor(told(step)), self._give_back,
        )  # fmt: skip

    def _give_back(self) -> None:
        """Networks have taken memory for more than they are to do from now on."""
        self._vision.trim()

    def _late_at(self, place: Place) -> Callable[[float], bool]:
        """Whether a picture of this moment is too late there. A film that is worked through is never late."""
        deadlines = self._deadlines
        return lambda captured: deadlines is not None and deadlines.is_late(place, captured, time.monotonic())

    def _watch(self, shot: Shot, template: Template | None) -> None:
        if shot.is_cut:
            self._cameras.graded(shot.camera, shot.assessment.quality, shot.track)
        self._enrol_mode.see(shot, template)

    def _open_collector(self, gallery: Gallery, parts: ExitStack) -> Collector:
        cut = Cut(self._vision.alignment, self._vision.recognizer_build)
        collector = Collector(self._config.capture, self._state, cut, may=lambda: self._keeper.effort().extras)
        collector.start(is_empty=not gallery.captured.kept())
        parts.callback(collector.stop)
        return collector

    def _open_enrol_mode(self, parts: ExitStack) -> EnrolMode:
        cameras = [camera.name for camera in self._config.camera]
        registrar = Registrar(self._vision, partial(Gallery.open, self._state))
        mode = EnrolMode(cameras, registrar, self._session.journal, self._tell, self._feed.hurry)
        parts.callback(mode.stop)
        return mode

    def _open_permit(self, parts: ExitStack) -> Callable[[Decision], Decision]:
        """What every decision must pass: no enrolment before its camera, no lockdown, pictures to trust, the rules."""
        self._sync = SyncWatch()
        parts.callback(self._sync.close)
        not_before = last_time(self._state / "journal.db") or RELEASED
        wall = WallClock(self._sync, self._config.clock.require_sync, not_before, self._seams.wall)
        watched = doors_by_camera(self._config.camera, self._config.door)
        doors = {camera: [door.name for door in doors] for camera, doors in watched.items()}
        permit = Permit(
            lambda: self._roster.book, doors, wall.now, self._retry, lambda: self._lockdown.is_on,
            self._cameras.why_shut,
        )  # fmt: skip
        return lambda decision: permit(self._enrol_mode.shut(self._timed(decision)))

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
            self._report.counters, self._pipeline.queues, self._report.cameras_ok, self._keeper.readings
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
            **handlers(self._lockdown, site, self._begin_anew),
            "confirm": lambda args, _key: self._recognise.confirm(str(args["decision"])),
            "enrol": lambda args, _key: self._enrol_mode.begin(args),
            "enrol_stop": lambda _args, _key: self._enrol_mode.end(),
        }

    def _result(self, result: GrantResult) -> None:
        self._publisher.result(result)

    def _retry(self, camera: str, track: int, segment: int) -> None:
        self._recognise.retry(camera, track, segment)

    def _supervisor(self) -> Supervisor:
        """What the main thread looks after."""
        # A film gives the same decisions on every machine, so nothing is given up for a short one.
        ticks: list[Callable[[], None]] = [] if self._once else [self._keeper.tick]
        chores = [
            self._systemd.alive,
            self._say_status,
            self._look_after,
            self._roster.follow,
            self._sync.look,
            self._lockdown.follow,
        ]
        chores.append(self._vision.opener.check)
        if (exchange := self._exchange) is not None:
            ticks += [exchange.link.sweep, self._feed.tick]
            chores += [lambda: self._notes.doors(exchange.link.views()), exchange.tick]
        return Supervisor(
            self._pipeline, ticks, chores, lambda: self._is_leaving, lambda: self._publisher.is_waiting,
            patience_s=max((door.ttl_ms / 1000 for door in self._config.door), default=0.0),
            ailments=lambda: ailments(self._vitals()), on_ailing=self._leave_at_once,
        )  # fmt: skip

    def _vitals(self) -> list[Vital]:
        """What the door cannot do without. Capture of crops, builds of engines and metrics are not among it."""
        exchange = self._exchange.vitals() if self._exchange is not None else []
        return [*self._pipeline.vitals(), self._session.journal.vital, *exchange]

    def _leave_at_once(self, ailing: Sequence[str]) -> None:
        """Ends the process without waiting for what hangs, or for a clean-up that may hang with it: a last word in the
        journal, and the broker says `offline` by the last will when the connection breaks."""
        limit = threading.Timer(LEAVE_WITHIN_S, self._seams.leave, (STUCK_EXIT,))
        limit.daemon = True
        limit.start()
        self._systemd.status(", ".join(ailing))
        self._pipeline.abandon()
        self._notes.hang(", ".join(ailing), 0.0 if self._session.journal.vital.ailment else LAST_WORDS_S)
        time.sleep(BREATH_S)
        self._seams.leave(STUCK_EXIT)
        limit.cancel()  # only where leaving was kept from us, in a test

    def _say_status(self) -> None:
        self._systemd.status(self._report.status())

    def _look_after(self) -> None:
        """For the next start; and out of the safe mode, when it is time."""
        faults = sum(self._pipeline.hearts[stage].faults.total() for stage in ROLES)
        if self._care is None or not self._care.look(self._pipeline.frames.passed, faults):
            return
        try:
            self._begin_anew()
        except FaceedgeError as error:
            log.warning("the safe mode goes on: %s", error)

    def _state_now(self) -> dict[str, Any]:
        return self._report.state()

    def _retain_state(self, state: bytes) -> None:
        if self._exchange is not None:
            self._exchange.retain_state(state)

    def _stop_pipeline(self) -> None:
        if left := self._pipeline.stop():
            log.error("threads did not end in time: %s", ", ".join(left))
