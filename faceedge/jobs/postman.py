"""Rows of the outbox in, events at the broker out: at least once, in order per kind. One thread, made by the daemon.

A row is deleted once the broker has acknowledged it, a handful at a time; what was not acknowledged is sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceedge.errors import FaceedgeError
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import Vital
from faceedge.jobs.postbag import Post, Postbag
from faceedge.journal.entry import Draft, Stamp
from faceedge.journal.outbox import Bounds, Outbox

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at an outbox that nobody has put anything into."""
ANSWER_LOOK_S = 0.02
COUNT_S = 5.0
"""Between two counts of all that waits: of 100 000 letters one takes some milliseconds."""
BATCH_S, BATCH_MOST = 1.0, 100
"""Rows that are delivered are deleted after this, or when they are so many: a crash in between sends them again."""
STOP_WITHIN_S = 1.8
FAREWELL_S = 0.3
BUSY_MS = 500
SILENCE_S = 30.0
"""No door waits for it, and counting or dropping a hundred thousand letters takes its time on a slow disk."""


class Postman:
    """Start it, wake it when letters have come, stop it before the uplink.

    topic: `faceedge/<device>/event`. Trouble with the database is told once, and never ends the thread.
    """

    def __init__(
        self,
        state: Path,
        uplink: Post,
        topic: str,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
        stamp: Stamp | None = None,
    ) -> None:
        self._state = state
        self._uplink = uplink
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._stamp = stamp or Stamp()
        self._bag = Postbag(uplink, topic, clock)
        self._outbox: Outbox | None = None
        self._count_at = clock()
        self._trouble: str | None = None
        self._is_dropping = False
        self._told: dict[str, Any] = {"waiting": 0, "refused": []}
        self._heart = Heart("outbox", SILENCE_S, clock)
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Starts the thread, which opens the database."""
        self._thread.start()

    @property
    def vital(self) -> Vital:
        """Its thread, without which nobody hears of an alert."""
        return Vital(self._heart, self._thread.is_alive, self._stopping.is_set)

    def wake(self) -> None:
        """Letters have come; from any thread."""
        self._woken.set()

    def stop(self) -> bool:
        """Gives the broker a moment to acknowledge, and ends the thread; False when it did not end within 2 s."""
        self._stopping.set()
        self._woken.set()
        self._thread.join(STOP_WITHIN_S)
        return not self._thread.is_alive()

    def as_json(self) -> dict[str, Any]:
        """For `…/state`: how many events wait, as of some seconds ago, and which kinds the broker refuses."""
        return {"ok": self._trouble is None, **self._told}

    def turn(self) -> float:
        """Takes answers, deletes what is delivered, posts what waits; seconds until there may be more to do."""
        try:
            self._work(self._opened())
        except Exception as error:
            self._fail(error)
            return LOOK_S
        self._recover()
        return ANSWER_LOOK_S if self._bag.is_waiting else LOOK_S

    def close(self) -> None:
        """Waits a moment for answers, so that little is sent twice, and lets go of the database."""
        for _ in range(round(FAREWELL_S / ANSWER_LOOK_S)):
            if not self._bag.is_waiting:
                break
            time.sleep(ANSWER_LOOK_S)
            self._bag.collect()
        if self._outbox is not None:
            try:
                self._delete(self._outbox)
            except FaceedgeError as error:
                log.warning("outbox: what is delivered was not deleted, so it is sent again: %s", error)
            self._let_go()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._heart.beat()
            self._woken.wait(self.turn())
            self._woken.clear()
        self.close()

    def _opened(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox.open(self._state, BUSY_MS)
            self._bag.meet(self._outbox.file)
        return self._outbox

    def _work(self, outbox: Outbox) -> None:
        self._bag.collect()
        self._is_dropping &= not self._bag.done  # told once an outage
        now = self._clock()
        if len(self._bag.done) >= BATCH_MOST or now - self._bag.done_since >= BATCH_S:
            self._delete(outbox)
        if (row := self._bag.given_up()) is not None:
            outbox.drop([row.number], self._now(), self._bag.sent)
        if now >= self._count_at:
            self._count(outbox)
            self._count_at = now + COUNT_S
        if self._uplink.connected:
            self._fill(outbox)

    def _fill(self, outbox: Outbox) -> None:
        self._bag.begin()
        sent, last = self._bag.sent, outbox.last()
        while (room := self._bag.room) > 0:
            rows = outbox.waiting(room, self._bag.after, self._bag.held())
            for row in rows:
                if row.number in sent or row.letter.kind in self._bag.held():
                    self._bag.after = row.number
                elif not self._bag.post(row):
                    return
            if not rows:
                self._bag.after = max(self._bag.after, last)  # so that letters that must wait are not read every time
                return

    def _delete(self, outbox: Outbox) -> None:
        if self._bag.done:
            outbox.delivered(self._bag.done)
            self._bag.done = []

    def _count(self, outbox: Outbox) -> None:
        """How many wait, and whether that is too many, or for too long."""
        has_dropped = outbox.bound(self._bounds, self._now(), self._bag.sent) > 0
        if has_dropped and not self._is_dropping:
            log.warning("outbox: the broker is away for too long, the oldest events are dropped and counted")
        self._is_dropping |= has_dropped
        self._told = {"waiting": outbox.count() - len(self._bag.done), "refused": self._bag.refused}

    def _now(self) -> Draft:
        return self._stamp.draft("outbox", {})

    def _fail(self, error: Exception) -> None:
        """It is opened anew next time: perhaps the file was replaced."""
        self._let_go()
        if self._trouble is None:
            self._trouble = str(error) if isinstance(error, FaceedgeError) else f"{type(error).__name__}: {error}"
            log.error("outbox: no events are sent: %s", self._trouble, exc_info=not isinstance(error, FaceedgeError))

    def _recover(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            log.info("outbox: events are sent again")

    def _let_go(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
            self._outbox = None
