"""The whole house: disk, broker, proxy, camera, the daemon in its keeper's care, a controller, and an observer."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import TracebackType

from faceedge.chaos import mounts
from faceedge.chaos.camera import FilmCamera
from faceedge.chaos.charge import Charge
from faceedge.chaos.observer import Observer
from faceedge.chaos.proxy import SwallowingProxy
from faceedge.chaos.reel import BEAT_S, Reel
from faceedge.config import Broker
from faceedge.demo import stand
from faceedge.demo.children import STOP_S
from faceedge.door.broker import LocalBroker, local_broker
from faceedge.door.contract import Address
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.keys import key_path, read_key
from faceedge.gallery.store import Gallery
from faceedge.health.starts import NAME as STARTS
from faceedge.rules.book import Standing

TTL_MS = 600
TTL_S = TTL_MS / 1000
PULSE_MS = 200
KEEPALIVE_S = 2
DIARY = "diary.log"
"""What everybody told, with times; the daemon's own log has none."""
VALID_DAYS = 60
"""She may pass for so long: a year ahead she may not, and without a clock nobody can tell."""


class House:
    """Use it in a `with` block. Everything that can be hurt is an attribute."""

    charge: Charge
    broker: LocalBroker
    proxy: SwallowingProxy
    camera: FilmCamera

    def __init__(self, folder: Path, reel: Reel) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.observer = Observer()
        self.known = ""
        self.load: object = None
        """What weighs on the daemon, as `of_memory` has put it there."""
        self._reel = reel
        self._parts = ExitStack()

    def __enter__(self) -> House:
        with ExitStack() as parts:
            self._build(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._parts.close()
        finally:
            (self.folder / DIARY).write_text(self.observer.diary(), encoding="utf-8")

    def forget_starts(self) -> None:
        """The daemon's memory of its own crashes goes: those of one fault are not held against it in the next."""
        with suppress(OSError):
            (self.state / STARTS).unlink(missing_ok=True)

    def is_answering(self, since: float) -> bool:
        """Whether the door has opened for her, and the stranger been refused, for pictures taken since then."""
        seen = self.observer.decisions(since, time.monotonic())
        opened = any(one.verdict == "opened" and one.person == self.known for one in seen)
        return opened and any(one.outcome == "deny" and one.reason == "unknown" for one in seen)

    def settle(self, within_s: float) -> bool:
        """Waits until both have got their answers lately, by the daemon that runs; False when they have not in time."""

        def is_settled() -> bool:
            return self.is_answering(max(self.observer.last("start", 0.0), time.monotonic() - 3 * BEAT_S))

        return self.observer.wait(is_settled, time.monotonic() + within_s)

    def _build(self, parts: ExitStack) -> None:
        self.broker = parts.enter_context(local_broker(extra="user root" if mounts.is_only_root_here() else ""))
        self.proxy = parts.enter_context(SwallowingProxy(self.broker.host, self.broker.port))
        self.camera = parts.enter_context(FilmCamera(self._reel))
        if mounts.can_mount():
            mounts.mount(self.state)
            parts.callback(mounts.unmount, self.state)
        place = stand.build(self.folder, self.camera.uri, self.proxy.port, {
            **stand.FILM,
            "broker": {"host": self.proxy.host, "port": self.proxy.port, "keepalive_s": KEEPALIVE_S},
            # The reel comes again and again; without the word that this is meant, it would be taken for a replay.
            "camera": [{"name": "entry", "uri": self.camera.uri, "loop": True}],
            "door": [{"name": stand.DOOR, "cameras": ["entry"], "ttl_ms": TTL_MS, "pulse_ms": PULSE_MS}],
        })  # fmt: skip
        self.known = place.known
        with Gallery.open(self.state) as gallery:
            ends = datetime.now(timezone.utc) + timedelta(days=VALID_DAYS)
            gallery.access.set_standing(self.known, Standing(valid_until=ends))
        self._start_controller(parts)
        self.charge = parts.enter_context(Charge(self.folder, place.config, self.observer))

    def _start_controller(self, parts: ExitStack) -> None:
        """Its way to the broker is its own: the half-open link is the daemon's."""
        key = read_key(key_path(self.state, stand.DOOR, "main"))
        where = Broker(host=self.broker.host, port=self.broker.port, keepalive_s=KEEPALIVE_S)
        controller = Controller(where, Address("demo", stand.DOOR, "main"), [key], self._take_from_door)
        stop = threading.Event()
        thread = threading.Thread(target=controller.run, args=(stop,), name="chaos-controller", daemon=True)
        thread.start()
        parts.callback(thread.join, STOP_S)
        parts.callback(stop.set)

    def _take_from_door(self, event: DoorEvent) -> None:
        self.observer.door(event.event, event.sub, event.why)
