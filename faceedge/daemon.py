"""Composition root: configuration -> parts (`house.py`) -> pipeline -> wait for a signal -> stop in reverse."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from faceedge import __version__
from faceedge.care import Care
from faceedge.config import Config
from faceedge.errors import ConfigError, FaceedgeError
from faceedge.flow import ROLES
from faceedge.health.systemd import Systemd
from faceedge.health.watchdog import Vital, ailments, excuse
from faceedge.house import House
from faceedge.plan import Plan, Tell
from faceedge.seams import Seams
from faceedge.supervise import STUCK_EXIT, Supervisor

log = logging.getLogger(__name__)

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
        self._tell = tell
        self._once = once
        self._check = check
        self._seams = seams or Seams()
        self._care = care
        self._is_leaving = self._begins_anew = False
        self._systemd = Systemd()

    def run(self) -> int:
        """Builds all parts, runs until a signal, a new configuration or the last frame of every file, stops them."""
        with ExitStack() as parts:
            parts.callback(self._systemd.close)
            self._systemd.starting()
            self._house = House(self._plan(), parts, self._begin_anew)
            self._prove()
            self._house.session.started(self._house.report.standing(self._config.device, self._config.capture))
            self._house.pipeline.start()
            parts.callback(self._stop_pipeline)
            self._tell_mode()
            self._systemd.ready(self._house.report.status())
            self._house.tell({"event": "ready", "version": __version__, "builds": dict(self._house.vision.builds)})
            code = self._supervisor().run(once=self._once)
            (self._systemd.reloading if self._begins_anew else self._systemd.stopping)()
        self._house.tell({"event": "stopped", "counters": self._house.report.counters()})
        return BEGIN_ANEW if self._begins_anew else code

    def stop(self, *_: object) -> None:
        """Asks for a clean end; safe in a signal handler, where an Event could wait for its own thread for ever."""
        self._is_leaving = True

    def _begin_anew(self) -> None:
        """Ends this run so that another begins with the configuration as it is then. Raises FaceedgeError."""
        self._house.lockdown.hand_over()
        self._check()
        self._begins_anew = self._is_leaving = True

    def _plan(self) -> Plan:
        safe = self._care.safe if self._care is not None else None
        return Plan(self._config, self._state, self._cache, self._tell, self._once, self._seams, safe)

    def _prove(self) -> None:
        """Nobody is told that the door serves before the networks have answered. Raises EngineError."""
        if not self._once:
            self._house.changing.prove()

    def _tell_mode(self) -> None:
        if self._care is not None and self._care.safe is not None:
            self._house.notes.safe_mode(True, self._care.safe.why)
        elif self._care is not None and self._care.is_over:
            self._house.notes.safe_mode(False, "the current configuration is tried")

    def _supervisor(self) -> Supervisor:
        """What the main thread looks after."""
        # A film gives the same decisions on every machine, so nothing is given up for a short one.
        ticks: list[Callable[[], None]] = [] if self._once else [self._house.keeper.tick]
        chores = [
            self._systemd.alive,
            self._say_status,
            self._look_after,
            self._house.changing.follow,
            self._house.flow.sync.look,
            self._house.lockdown.follow,
        ]
        chores.append(self._house.vision.opener.check)
        if (exchange := self._house.exchange) is not None:
            ticks += [exchange.link.sweep, self._house.feed.tick]
            chores += [lambda: self._house.notes.doors(exchange.link.views()), exchange.tick]
        return Supervisor(
            self._house.pipeline, ticks, chores, lambda: self._is_leaving, lambda: self._house.publisher.is_waiting,
            patience_s=max((door.ttl_ms / 1000 for door in self._config.door), default=0.0),
            ailments=lambda: ailments(self._vitals()), on_ailing=self._leave_at_once,
            on_pause=lambda seconds: excuse(self._vitals(), seconds),
        )  # fmt: skip

    def _vitals(self) -> list[Vital]:
        """What the door cannot do without. Capture of crops, builds of engines and metrics are not among it."""
        exchange = self._house.exchange.vitals() if self._house.exchange is not None else []
        return [*self._house.pipeline.vitals(), self._house.session.journal.vital, *exchange]

    def _leave_at_once(self, ailing: Sequence[str]) -> None:
        """Ends the process without waiting for what hangs, or for a clean-up that may hang with it: a last word in the
        journal, and the broker says `offline` by the last will when the connection breaks."""
        limit = threading.Timer(LEAVE_WITHIN_S, self._seams.leave, (STUCK_EXIT,))
        limit.daemon = True
        limit.start()
        self._systemd.leaving(", ".join(ailing))
        self._house.pipeline.abandon()
        self._house.notes.hang(", ".join(ailing), 0.0 if self._house.session.journal.vital.ailment else LAST_WORDS_S)
        time.sleep(BREATH_S)
        self._seams.leave(STUCK_EXIT)
        limit.cancel()  # only where leaving was kept from us, in a test

    def _say_status(self) -> None:
        self._systemd.status(self._house.report.status())

    def _look_after(self) -> None:
        """For the next start; and out of the safe mode, when it is time."""
        faults = sum(self._house.pipeline.hearts[stage].faults.total() for stage in ROLES)
        if self._care is None or not self._care.look(self._house.pipeline.frames.passed, faults):
            return
        try:
            self._begin_anew()
        except FaceedgeError as error:
            log.warning("the safe mode goes on: %s", error)

    def _stop_pipeline(self) -> None:
        if left := self._house.pipeline.stop():
            log.error("threads did not end in time: %s", ", ".join(left))
