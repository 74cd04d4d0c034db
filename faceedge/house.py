"""All parts of one daemon, put together: configuration in, parts that know each other out. Run by `daemon.py`; these
two, `flow.py` and the command line see the whole configuration.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from faceedge.bundle import Bundle
from faceedge.changing import Changing
from faceedge.commands import Handler
from faceedge.door.link import GrantResult
from faceedge.errors import ConfigError
from faceedge.exchange import Exchange, Terms
from faceedge.flow import Flow, Ground
from faceedge.gallery.store import Gallery
from faceedge.health.cameras import CameraHealth
from faceedge.health.keeper import Keeper, told
from faceedge.health.metrics import Metrics, Readings, Sources
from faceedge.health.pressure import PressureGauge
from faceedge.health.scrape import MetricsServer
from faceedge.health.thermometer import Thermometer
from faceedge.jobs.build_engines import Builder
from faceedge.jobs.collector import Collector, Cut
from faceedge.jobs.enrol_mode import EnrolMode
from faceedge.jobs.obey import handlers
from faceedge.jobs.open_vision import open_vision
from faceedge.jobs.registrar import Registrar
from faceedge.jobs.roster import Roster
from faceedge.jobs.site import Site
from faceedge.jobs.swap_line import held
from faceedge.jobs.swapper import Swapper
from faceedge.jobs.vision import Vision
from faceedge.journal.notes import Notes
from faceedge.journal.session import Session
from faceedge.lockdown import Lockdown
from faceedge.lookout import check_files
from faceedge.plan import Plan
from faceedge.portions import Portions
from faceedge.report import Report, StateFeed

log = logging.getLogger(__name__)

ROSTER_WAIT_S = 1.0
"""The main thread follows the gallery, and must not be silent for longer than systemd bears."""


class House:
    """Every part, opened and connected; the threads of the pipeline do not run yet. parts: closes them in reverse.

    begin_anew: asks for another house of the configuration as it is then; raises FaceedgeError.
    """

    def __init__(self, plan: Plan, parts: ExitStack, begin_anew: Callable[[], None]) -> None:
        self._plan, self._config = plan, plan.config
        self._state, self._cache = plan.state, plan.cache
        self._metrics = Metrics()
        self.tell = self._metrics.hearing(plan.tell)
        self._begin_anew = begin_anew
        self.exchange: Exchange | None = None
        self._build(parts)

    def _build(self, parts: ExitStack) -> None:
        check_files(self._config.camera)
        # First of all: without the directory a lockdown counts as on.
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.exchange = self._open_exchange()
        self._open_notes(parts)
        self.keeper = self._open_keeper(parts)
        builder = Builder(self.notes.engine)
        vision = parts.enter_context(self._open_vision(builder))
        parts.callback(builder.stop)
        gallery, roster = self._open_people(vision, parts)
        self.flow = Flow(self._ground(vision, roster), parts)
        self.changing = self._changing(gallery)
        parts.callback(self.changing.close)
        self.swapper = Swapper(
            self._site(), self.changing, self.notes.model, self.feed.hurry, first=self.changing.resume
        )
        self.pipeline, self.publisher, self.recognise = self.flow.pipeline, self.flow.publisher, self.flow.recognise
        self.report = self._report()
        self._open_metrics(parts)
        for notice in self.report.notices():
            log.warning("%s", notice)
        builder.start()
        self._start_swapper(parts)
        if self.exchange is not None:
            self.exchange.serve(self._handlers(), self.session.journal, self.feed.hurry)
            parts.callback(self.exchange.stop)
            self.exchange.start()

    def _open_notes(self, parts: ExitStack) -> None:
        """The journal, and what is noted in it and told to whoever listens."""
        wake = self.exchange.wake if self.exchange is not None else None
        self.session = Session(self._state, self._config.journal, self.tell, wake)
        parts.callback(self.session.close)
        self.feed = StateFeed(self._state_now, self._retain_state)
        self.notes = Notes(self.session.journal, self.tell, self.feed.hurry)
        self.cameras = CameraHealth([camera.name for camera in self._config.camera], self.notes.camera)
        self.lockdown = Lockdown(self._state, self.notes.lockdown)

    def _open_vision(self, builder: Builder) -> Vision:
        portions = Portions(self.keeper.effort, self.keeper.out_of_memory)
        return open_vision(
            self._config.models, self._config.engine, self._state, self._cache, None, builder,
            self._plan.seams.engine, portions=portions,
        )  # fmt: skip

    @property
    def vision(self) -> Vision:
        """The networks that serve now."""
        return self.changing.bundle.vision

    def _open_people(self, vision: Vision, parts: ExitStack) -> tuple[Gallery, Roster]:
        gallery = Gallery.open(self._state)
        gallery.wait_at_most(ROSTER_WAIT_S)
        parts.callback(gallery.close)
        self.collector = self._open_collector(vision, gallery, parts)
        roster = Roster(gallery, vision.metric, vision.space)
        self.enrol_mode = self._open_enrol_mode(vision, parts)
        return gallery, roster

    def _changing(self, gallery: Gallery) -> Changing:
        return Changing(self.flow, self._config, self._state, self._cache, gallery, self._changed, self.keeper.effort)

    def _start_swapper(self, parts: ExitStack) -> None:
        """A film that is worked through is decided by the same networks from its first picture to the last."""
        if not self._plan.once:
            parts.enter_context(held(self._state))
            parts.callback(self._stop_swapper)
            self.swapper.start()

    def _stop_swapper(self) -> None:
        self.changing.leave()
        if not self.swapper.stop():
            log.error("a swap of networks did not end in time")

    def _site(self) -> Site:
        return Site(self._state, self._cache, self._config.models)

    def _changed(self, bundle: Bundle) -> None:
        """Other networks serve: whoever is not part of the flow is told."""
        vision = bundle.vision
        self.report.vision, self.report.own_numbers = vision, bundle.numbers.notices
        self.collector.cut = Cut(vision.alignment, vision.recognizer_build)
        self.enrol_mode.look_through(self._registrar(vision))
        self.feed.hurry()

    def _report(self) -> Report:
        return Report(
            self._config.door, self.vision, self.pipeline, self.publisher, self.session.journal, self.cameras,
            self.collector, self.enrol_mode, self.lockdown, self.keeper, self.exchange,
            self._plan.safe, self.flow.serving.numbers.notices,
            lambda: (*self.flow.serving.roster.notices, *self.changing.notices),
            self.swapper.as_json,
        )  # fmt: skip

    def _ground(self, vision: Vision, roster: Roster) -> Ground:
        return Ground(
            self._plan, self.tell, vision, roster, self.keeper, self.cameras, self.lockdown,
            self.session.journal, self.enrol_mode, self.collector, self._metrics, self.exchange,
        )  # fmt: skip

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
        self.changing.trim()

    def _open_collector(self, vision: Vision, gallery: Gallery, parts: ExitStack) -> Collector:
        cut = Cut(vision.alignment, vision.recognizer_build)
        collector = Collector(self._config.capture, self._state, cut, may=lambda: self.keeper.effort().extras)
        collector.start(is_empty=not gallery.captured.kept())
        parts.callback(collector.stop)
        return collector

    def _registrar(self, vision: Vision) -> Registrar:
        return Registrar(vision, partial(Gallery.open, self._state))

    def _open_enrol_mode(self, vision: Vision, parts: ExitStack) -> EnrolMode:
        cameras = [camera.name for camera in self._config.camera]
        mode = EnrolMode(cameras, self._registrar(vision), self.session.journal, self.tell, self.feed.hurry)
        parts.callback(mode.stop)
        return mode

    def _open_metrics(self, parts: ExitStack) -> None:
        """Nobody is locked out because a port is taken: without metrics the door works as it does with them."""
        if not (where := self._config.health.metrics):
            return
        self._metrics.sources = Sources(self.report.counters, self._readings)
        try:
            server = MetricsServer(where, self._metrics.registry)
        except ConfigError as error:
            log.error("no metrics: %s", error)
            return
        parts.callback(server.stop)
        server.start()

    def _readings(self) -> Readings:
        return {
            **self.report.readings(),
            "clock_synchronized": {(): self.flow.sync.is_synchronised},
            "state_free_bytes": {(): _free_bytes(self._state)},
        }

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
        return {
            **handlers(self.lockdown, self.swapper.accept, self._begin_anew),
            "confirm": lambda args, _key: self.recognise.confirm(str(args["decision"])),
            "enrol": lambda args, _key: self.enrol_mode.begin(args),
            "enrol_stop": lambda _args, _key: self.enrol_mode.end(),
        }

    def _result(self, result: GrantResult) -> None:
        self.publisher.result(result)

    def _state_now(self) -> dict[str, Any]:
        return self.report.state()

    def _retain_state(self, state: bytes) -> None:
        if self.exchange is not None:
            self.exchange.retain_state(state)


def _free_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:  # the medium is gone: the journal says so, and the other readings go on
        return None
