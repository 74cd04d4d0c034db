"""Composition root: configuration -> parts -> pipeline -> wait for a signal -> stop in reverse.

The only module beside the command line that sees the whole configuration.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from faceedge import __version__, lockdown
from faceedge.cameras import is_live, open_camera
from faceedge.capture import paced, reopened
from faceedge.config import Camera, Config, Door
from faceedge.decide import Judge
from faceedge.door.keys import load_keys
from faceedge.door.link import DoorLink, GrantResult
from faceedge.door.uplink import Uplink
from faceedge.errors import ConfigError
from faceedge.gallery.search import similarity
from faceedge.gallery.store import Gallery
from faceedge.health.clock import SyncWatch, WallClock
from faceedge.health.systemd import Systemd
from faceedge.jobs.collector import Collector, Cut
from faceedge.jobs.roster import Roster
from faceedge.jobs.vision import open_vision
from faceedge.journal.reading import last_time
from faceedge.journal.session import Session
from faceedge.permit import Permit
from faceedge.pipeline import Pipeline
from faceedge.publish import Publisher
from faceedge.rules.clock import RELEASED
from faceedge.stages import DetectStage, RecogniseStage
from faceedge.types import Frame

log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]

TICK_S = 0.05
"""How often the main thread looks at grants without a verdict."""
WATCH_S = 1.0
STATE_S = 10.0
STUCK_EXIT = 75
"""Exit code of a daemon with a stuck stage; systemd starts it again."""


class Daemon:
    """One running door. `run` returns the exit code.

    once: every frame of every file is processed, at its own speed, and then the daemon ends.
    tell: receives each event as a dictionary of JSON types.
    """

    def __init__(self, config: Config, state: Path, cache: Path, tell: Tell, *, once: bool = False) -> None:
        if not config.camera:
            raise ConfigError('no camera: add [[camera]] with uri = "file:clip.mp4", "rtsp://…" or "/dev/video0"')
        self._config = config
        self._state = state
        self._cache = cache
        self._tell = tell
        self._once = once
        self._is_leaving = False
        self._kids: dict[str, str] = {}
        self._systemd = Systemd()
        self._uplink: Uplink | None = None
        self._link: DoorLink | None = None

    def run(self) -> int:
        """Builds all parts, runs until a signal or the end of every file, and stops in reverse order."""
        with ExitStack() as parts:
            parts.callback(self._systemd.close)
            self._build(parts)
            self._note_start()
            self._pipeline.start()
            parts.callback(self._stop_pipeline)
            self._systemd.ready(f"{len(self._config.camera)} cameras, {len(self._config.door)} doors")
            self._tell({"event": "ready", "version": __version__, "builds": dict(self._vision.builds)})
            code = self._supervise()
            self._systemd.stopping()
        self._tell({"event": "stopped", "counters": self._counters()})
        return code

    def stop(self, *_: object) -> None:
        """Asks for a clean end; safe in a signal handler, where an Event could wait for its own thread for ever."""
        self._is_leaving = True

    def _build(self, parts: ExitStack) -> None:
        config = self._config
        for camera in config.camera:
            if not is_live(camera.uri):
                open_camera(camera.uri).close()
        self._session = Session(self._state, config.journal, self._tell)
        parts.callback(self._session.close)
        self._vision = parts.enter_context(open_vision(config.models, config.engine, self._state, self._cache))
        for notice in self._vision.notices:
            log.warning("%s", notice)
        gallery = Gallery.open(self._state)
        parts.callback(gallery.close)
        self._collector = self._open_collector(gallery, parts)
        self._roster = Roster(gallery, self._vision.metric, self._vision.space)
        self._open_link(parts)
        judge = Judge(config.decide, self._vision.door_thresholds, partial(similarity, metric=self._vision.metric))
        self._publisher = Publisher(
            self._link, self._doors_by_camera(), self._tell, self._retry, realtime=not self._once,
            journal=self._session.journal, limits=judge.limits(),
        )  # fmt: skip
        clock = None if self._once else time.monotonic
        permit = self._open_permit(parts)
        self._recognise = RecogniseStage(
            self._vision, self._roster.identifier, judge, self._publisher, clock, permit, self._collector.offer
        )
        self._pipeline = Pipeline(
            {camera.name: partial(self._frames, camera) for camera in config.camera},
            DetectStage(self._vision, self._tell),
            self._recognise,
            self._recognise.finish,
            lossless=self._once,
            on_ended=lambda camera: self._tell({"event": "ended", "camera": camera}),
        )
        if self._uplink is not None:
            self._uplink.start()

    def _frames(self, camera: Camera, stop: threading.Event) -> Iterator[Frame | None]:
        frames = partial(
            paced, camera.name, partial(open_camera, camera.uri), stop,
            loop=camera.loop and not self._once, realtime=not self._once,
        )  # fmt: skip
        if self._once:
            return frames()
        return reopened(frames, stop, partial(self._camera_fault, camera.name))

    def _camera_fault(self, camera: str, why: str) -> None:
        self._tell({"event": "camera_fault", "camera": camera, "why": why})

    def _doors_by_camera(self) -> dict[str, list[Door]]:
        """A door without a list of cameras is watched by all of them."""
        names = [camera.name for camera in self._config.camera]
        return {name: [door for door in self._config.door if name in (door.cameras or names)] for name in names}

    def _note_start(self) -> None:
        capture = self._config.capture
        self._session.started({
            "device": self._config.device,
            "cameras": [camera.name for camera in self._config.camera],
            "doors": [{"name": door.name, "liveness": door.liveness} for door in self._config.door],
            "builds": dict(self._vision.builds),
            "limits": dict(self._publisher.limits),
            "keys": self._kids,
            "capture": capture.model_dump(exclude={"on"}) if capture.on else None,
        })  # fmt: skip

    def _open_collector(self, gallery: Gallery, parts: ExitStack) -> Collector:
        cut = Cut(self._vision.alignment, self._vision.recognizer_build)
        collector = Collector(self._config.capture, self._state, cut)
        collector.start(is_empty=not gallery.captured.kept())
        parts.callback(collector.stop)
        return collector

    def _open_permit(self, parts: ExitStack) -> Permit:
        self._sync = SyncWatch()
        parts.callback(self._sync.close)
        not_before = last_time(self._state / "journal.db") or RELEASED
        wall = WallClock(self._sync, self._config.clock.require_sync, not_before)
        doors = {camera: [door.name for door in doors] for camera, doors in self._doors_by_camera().items()}
        locked = partial(lockdown.is_on, self._state)
        return Permit(lambda: self._roster.book, doors, wall.now, self._retry, locked)

    def _open_link(self, parts: ExitStack) -> None:
        if not self._config.door:
            log.warning("no [[door]] is configured: decisions are told, nothing can open")
            return
        keys = load_keys(self._state, self._config.door)
        self._kids = {f"{door}/{controller}": known[0].kid for (door, controller), known in keys.items()}
        self._uplink = Uplink(self._config.broker, self._config.device)
        self._link = DoorLink(self._uplink, self._config.device, self._config.door, keys, self._result)
        parts.callback(self._uplink.stop)

    def _result(self, result: GrantResult) -> None:
        self._publisher.result(result)

    def _retry(self, camera: str, track: int) -> None:
        self._recognise.retry(camera, track)

    def _supervise(self) -> int:
        """Until a signal or the end: time out grants, follow the gallery, tell systemd that all stages live."""
        watch = state = 0.0
        while not self._is_leaving:
            if self._once and self._pipeline.is_finished:
                self._await_verdicts()
                for failure in self._pipeline.failures:
                    raise failure
                return 0
            time.sleep(TICK_S)
            if self._link is not None:
                self._link.sweep()
            now = time.monotonic()
            if now - watch >= WATCH_S:
                watch = now
                if stuck := self._pipeline.stuck:
                    log.error("stuck: %s; leaving so that a fresh process takes over", ", ".join(stuck))
                    return STUCK_EXIT
                self._systemd.alive()
                self._roster.follow()
                self._sync.look()
            if self._uplink is not None and now - state >= STATE_S:
                state = now
                self._uplink.retain(f"{self._uplink.prefix}/state", _json(self._health()))
        return 0

    def _await_verdicts(self) -> None:
        """The last grants of a file get their time to live before the end."""
        if self._link is None:
            return
        longest_s = max(door.ttl_ms for door in self._config.door) / 1000
        deadline = time.monotonic() + longest_s + TICK_S
        while self._publisher.is_waiting and time.monotonic() < deadline and not self._is_leaving:
            time.sleep(TICK_S)
            self._link.sweep()

    def _health(self) -> dict[str, Any]:
        journal = self._session.journal
        head = journal.head()
        return {
            "version": __version__,
            "builds": dict(self._vision.builds),
            "notices": list(self._vision.notices),
            "doors": [{"name": door.name, "liveness": door.liveness} for door in self._config.door],
            "insecure": self._config.broker.insecure,
            "mqtt": self._uplink.protocol if self._uplink else None,
            "ignored": self._link.counts if self._link else {},
            "counters": self._counters(),
            "journal": {"ok": journal.trouble is None, "head": head.as_json() if head else None},
            "capture": self._collector.as_json(),
        }

    def _counters(self) -> dict[str, int]:
        return self._pipeline.counters() | dict(self._publisher.counters)

    def _stop_pipeline(self) -> None:
        if left := self._pipeline.stop():
            log.error("threads did not end in time: %s", ", ".join(left))


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def run_until_signal(daemon: Daemon) -> int:
    """Runs with SIGTERM and SIGINT bound to a clean stop, and as they were before once it has ended."""
    before = {kind: signal.signal(kind, daemon.stop) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        return daemon.run()
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
