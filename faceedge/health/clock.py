"""The wall clock and whether it can be trusted: None in its place when it cannot.

Whether it was set from the network is known from systemd-timesyncd's mark, or, with another time daemon, from what the
kernel tells `timedatectl`. A clock once seen to be set counts as set until the daemon ends: it drifts by seconds a day.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from faceedge.rules.clock import RELEASED, NeedsSync, is_valid

log = logging.getLogger(__name__)

SYNC_MARK = Path("/run/systemd/timesync/synchronized")
ASK = ("timedatectl", "show", "--property=NTPSynchronized", "--value")
ASK_EVERY_S = 30.0
ANSWER_WITHIN_S = 10.0


class SyncWatch:
    """Asks now and then, never waits. One thread calls `look`, any thread reads `is_synchronised`."""

    def __init__(
        self, mark: Path = SYNC_MARK, ask: tuple[str, ...] = ASK, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_synchronised: bool | None = None
        self._mark, self._ask, self._clock = mark, ask, clock
        self._child: subprocess.Popen[str] | None = None
        self._asked = -ASK_EVERY_S

    def look(self) -> None:
        """Notes the mark; else takes the answer to an earlier question, or asks anew when it is time."""
        if self.is_synchronised:
            return
        if self._mark.exists():
            self.is_synchronised = True
        elif self._child is not None:
            self._take(self._child)
        elif self._clock() - self._asked >= ASK_EVERY_S:
            self._start()

    def settle(self, within_s: float) -> None:
        """Looks until there is an answer or none will come; for commands that may wait."""
        ends = self._clock() + within_s
        self.look()
        while self._child is not None and self._clock() < ends:
            time.sleep(0.01)
            self.look()

    def close(self) -> None:
        """Ends a question that is still open."""
        if self._child is not None:
            self._child.kill()
            self._end(self._child)

    def _start(self) -> None:
        self._asked = self._clock()
        try:
            self._child = subprocess.Popen(
                self._ask, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:  # no systemd here: nobody can tell
            self._child = None

    def _take(self, child: subprocess.Popen[str]) -> None:
        if child.poll() is None:
            if self._clock() - self._asked > ANSWER_WITHIN_S:
                child.kill()
            return
        said = child.stdout.read().strip() if child.stdout else ""
        self.is_synchronised = {"yes": True, "no": False}.get(said)
        self._end(child)

    def _end(self, child: subprocess.Popen[str]) -> None:
        child.wait()
        if child.stdout:
            child.stdout.close()
        self._child = None


class WallClock:
    """Tells the time, or None when it cannot be trusted. not_before: the latest moment known to be past."""

    def __init__(
        self,
        sync: SyncWatch,
        needs_sync: NeedsSync,
        not_before: datetime = RELEASED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sync = sync
        self._needs_sync = needs_sync
        self._not_before = not_before
        self._clock = clock
        self._is_trusted: bool | None = None

    def now(self) -> datetime | None:
        """UTC. Says once in the log when trust is lost or gained."""
        now = datetime.fromtimestamp(self._clock(), timezone.utc)
        is_trusted = is_valid(now, self._not_before, self.sync.is_synchronised, self._needs_sync)
        if is_trusted != self._is_trusted:
            self._is_trusted = is_trusted
            if is_trusted:
                log.info("the clock is trusted")
            else:
                log.error("the clock cannot be trusted: only groups marked always pass by rules; set network time")
        return now if is_trusted else None


def system_zone(localtime: Path = Path("/etc/localtime")) -> str:
    """The IANA name of the system's time zone, UTC when it has none."""
    parts = localtime.resolve().as_posix().partition("/zoneinfo/")
    return parts[2] or "UTC"
