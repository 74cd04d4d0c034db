"""Crops for a calibration, out of shots that the daemon has recognised anyway, kept as `[capture]` says.

A stage only puts a reference into a small queue, where the newest win; picking, sealing and writing are done by a
thread of its own. Trouble there ends the capture until the next start and touches nothing else.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from faceedge.channel import Channel, Closed
from faceedge.config import Capture
from faceedge.errors import FaceedgeError, StoreError
from faceedge.gallery.captured import DAY_S, Captured, Kept
from faceedge.gallery.tables import Tables
from faceedge.jobs.strata import Limits, plan, quality_band
from faceedge.journal.entry import CLOCK_IS_SET_AFTER_S
from faceedge.types import Image, Shot

log = logging.getLogger(__name__)

WAITING_MOST = 16
CHORES_S = 3600.0
LEAVE_FREE_BYTES = 200_000_000
"""The journal needs room more than a calibration does: without it no door opens."""
STOP_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Cut:
    """What crops are made for: the recogniser's alignment and build."""

    alignment: str
    build: str


@dataclass(frozen=True, slots=True, eq=False)
class _Offer:
    crop: Image
    quality: float
    person: str | None
    cut: Cut


class Collector:
    """Start it, offer shots from one thread, stop it. Off, it takes none, but lets age what an earlier run has left.

    clock: unix seconds. seed: of the ranks by which crops are drawn. room: bytes free for the state directory.
    may: whether there is anything to spare for a calibration just now. cut: replace it when another recogniser serves.
    """

    def __init__(
        self, settings: Capture, state: Path, cut: Cut, clock: Callable[[], float] = time.time,
        seed: int | None = None, room: Callable[[], int] | None = None, may: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.is_on = settings.on
        self.kept = 0
        self._state = state
        self.cut = cut
        self._clock = clock
        self._ranks = np.random.default_rng(seed)
        self._may = may
        self._room = room or (lambda: shutil.disk_usage(state).free)
        self._offers: Channel[_Offer] = Channel("capture", WAITING_MOST)
        self._last: dict[tuple[str, int | str, str], float] = {}
        self._chores_at = 0.0
        self._has_erased = False
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self, *, is_empty: bool) -> None:
        """Starts the thread, if there is anything for it to do. is_empty: no crop is stored."""
        if self.settings.on:
            log.warning(
                "capture is on: up to %d crops of faces%s are kept, sealed, for %d days",
                self.settings.crops, "" if self.settings.strangers else " of people enrolled", self.settings.days,
            )  # fmt: skip
        if self.settings.on or not is_empty:
            self._thread.start()

    def offer(self, shot: Shot, person: str | None) -> None:
        """One recognised shot; never waits. person: id, when the shot alone says who it is for certain."""
        if not self.is_on or not self._may() or (person is None and not self.settings.strangers):
            return
        who = (shot.camera, shot.track) if person is None else ("", person)
        key = (*who, quality_band(shot.assessment.quality))
        if abs(shot.captured - self._last.get(key, float("-inf"))) < self.settings.every_s:
            return
        recent = {at: seen for at, seen in self._last.items() if abs(shot.captured - seen) < self.settings.every_s}
        self._last = recent | {key: shot.captured}
        self._offers.put("", _Offer(shot.crop, shot.assessment.quality, person, self.cut))

    def stop(self) -> None:
        """Stores what waits and ends the thread; one that is stuck on the disk is left behind."""
        self._offers.close()
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)

    def as_json(self) -> dict[str, Any]:
        """What the state document says of it."""
        told = {"crops": self.kept, "dropped": self._offers.dropped, "days": self.settings.days}
        return {"on": self.is_on, **(told if self.settings.on else {})}

    def _run(self) -> None:
        try:
            with closing(Tables.open(self._state, self._clock)) as tables:
                self._work(Captured(tables))
        except Exception as error:
            self.is_on = False
            unexpected = None if isinstance(error, FaceedgeError) else error
            log.error("capture is off until the next start: %s", error, exc_info=unexpected)

    def _work(self, captured: Captured) -> None:
        while True:
            self._chores(captured)
            try:
                offers = self._offers.take(WAITING_MOST, CHORES_S / 60)
            except Closed:
                break
            if offers and self._clock() >= CLOCK_IS_SET_AFTER_S:  # else nobody could tell their age
                self._store(captured, offers)
        self._empty_log(captured)

    def _store(self, captured: Captured, offers: Sequence[_Offer]) -> None:
        if self._room() < LEAVE_FREE_BYTES:
            raise StoreError(f"{self._state}: less than {LEAVE_FREE_BYTES // 1_000_000} MB are free; make room")
        rows = [(self._row(offer), offer.crop) for offer in offers]
        kept = captured.kept()
        chosen = plan(kept, [row for row, _ in rows], self._limits())
        added = captured.change([(row, crop) for row, crop in rows if row.id in chosen.added], chosen.dropped)
        self.kept = len(kept) - len(chosen.dropped) + added
        self._has_erased |= bool(chosen.dropped)

    def _limits(self) -> Limits:
        return Limits(self.settings.crops, self.cut.alignment)

    def _row(self, offer: _Offer) -> Kept:
        now = int(self._clock())
        light = float(cv2.cvtColor(offer.crop, cv2.COLOR_BGR2GRAY).mean())
        return Kept(
            str(uuid.uuid4()), offer.person, now - now % DAY_S, offer.cut.alignment, offer.cut.build, offer.quality,
            light, float(self._ranks.random()),
        )  # fmt: skip

    def _chores(self, captured: Captured) -> None:
        """Once an hour: what is too old, or too much since the limits were lowered, is erased."""
        now = self._clock()
        if now < CLOCK_IS_SET_AFTER_S or abs(now - self._chores_at) < CHORES_S:
            return
        self._chores_at = now
        expired = captured.expire(now, self.settings.days)
        kept = captured.kept()
        dropped = plan(kept, (), self._limits()).dropped
        captured.change((), dropped)
        self.kept = len(kept) - len(dropped)
        self._has_erased |= bool(expired or dropped)
        self._empty_log(captured)

    def _empty_log(self, captured: Captured) -> None:
        """Who reads the log just now keeps it; then the next hour, or whoever is removed, empties it."""
        if not self._has_erased:
            return
        try:
            captured.empty_log()
            self._has_erased = False
        except StoreError:
            log.info("capture: the log with erased crops is in use, and is emptied later")
