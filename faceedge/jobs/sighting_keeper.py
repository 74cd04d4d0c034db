"""Sightings of people who are to be enrolled again, sealed into the gallery by a thread of its own.

The recognise stage only puts a reference into a small queue, where the newest win. Trouble there ends it until the next
start and touches nothing else.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceedge.channel import Channel, Closed
from faceedge.errors import FaceedgeError, StoreError
from faceedge.gallery.sightings import Sightings
from faceedge.gallery.tables import Tables
from faceedge.jobs.collector import LEAVE_FREE_BYTES, STOP_WITHIN_S
from faceedge.journal.entry import CLOCK_IS_SET_AFTER_S
from faceedge.types import Image, Shot

log = logging.getLogger(__name__)

WAITING_MOST = 8
APART_S = 60.0
"""Between two sightings of one person: of one visit the first is enough."""
LOOK_S = 60.0
EXPIRE_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    person: str
    crop: Image
    quality: float


class SightingKeeper:
    """Start it, offer shots from one thread, stop it at the end of the daemon: what was kept ages as long as it runs,
    whether there is a second opinion or not. clock: unix seconds. room: bytes free for the state directory."""

    def __init__(
        self, state: Path, clock: Callable[[], float] = time.time, room: Callable[[], int] | None = None
    ) -> None:
        self.is_on = True
        self.kept = 0
        self._state = state
        self._clock = clock
        self._room = room or (lambda: shutil.disk_usage(state).free)
        self._offers: Channel[_Offer] = Channel("sightings", WAITING_MOST)
        self._last: dict[str, float] = {}
        self._expired_at = 0.0
        self._thread = threading.Thread(target=self._run, name="sightings", daemon=True)

    def start(self) -> None:
        """Starts the thread, which also lets age what is there; a second call does nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def offer(self, shot: Shot, person: str) -> None:
        """A shot that shows this person (id) for certain; never waits."""
        if not self.is_on or abs(shot.captured - self._last.get(person, float("-inf"))) < APART_S:
            return
        self._last[person] = shot.captured
        self._offers.put("", _Offer(person, shot.crop, shot.assessment.quality))

    def stop(self) -> None:
        """Stores what waits and ends the thread; one that is stuck on the disk is left behind."""
        self._offers.close()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    def as_json(self) -> dict[str, Any]:
        """What the state document may say of it."""
        return {"on": self.is_on, "kept": self.kept, "dropped": self._offers.dropped}

    def _run(self) -> None:
        try:
            with closing(Tables.open(self._state, self._clock)) as tables:
                self._work(Sightings(tables), tables)
        except Exception as error:
            self.is_on = False
            unexpected = None if isinstance(error, FaceedgeError) else error
            log.error("no sightings are kept until the next start: %s", error, exc_info=unexpected)

    def _work(self, sightings: Sightings, tables: Tables) -> None:
        while True:
            now = self._clock()
            if has_time := now >= CLOCK_IS_SET_AFTER_S:  # else nobody could tell their age
                self._expire(sightings, tables, now)
            try:
                offers = self._offers.take(WAITING_MOST, LOOK_S)
            except Closed:
                return
            if has_time and self._room() >= LEAVE_FREE_BYTES:
                self.kept += sum(sightings.add(one.person, one.crop, one.quality, now) for one in offers)

    def _expire(self, sightings: Sightings, tables: Tables, now: float) -> None:
        """Once an hour. The log with what was erased is emptied now or, while others read it, by the next removal."""
        if abs(now - self._expired_at) < EXPIRE_EVERY_S:
            return
        self._expired_at = now
        if sightings.expire(now):
            with suppress(StoreError):
                tables.empty_log()
