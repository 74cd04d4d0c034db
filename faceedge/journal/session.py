"""The journal of one daemon: opened, its start noted with what has changed since the last, its stop noted, ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from faceedge import __version__
from faceedge.config import JournalSettings
from faceedge.door.events import DeviceEvent, Letter, letter
from faceedge.journal.chain import Keep
from faceedge.journal.changes import changes, last_start
from faceedge.journal.entry import unix_ms
from faceedge.journal.writer import Journal

log = logging.getLogger(__name__)


class Session:
    """The journal runs until `close`. Trouble with it is told and opens no door, but keeps no daemon from starting.

    tell: receives `{"event": "journal", "ok": bool, "why": str | None}` when that changes. on_letters: called when
    letters have come into the outbox; None: none are kept.
    """

    def __init__(
        self,
        state: Path,
        settings: JournalSettings,
        tell: Callable[[dict[str, Any]], None],
        on_letters: Callable[[], None] | None = lambda: None,
    ) -> None:
        self._tell = tell
        self._is_started = False
        self._before = last_start(state / "journal.db")
        keep = Keep(settings.keep_days, settings.keep_entries)
        self.journal = Journal.of(state, keep, self._trouble, on_letters)
        self.journal.start()

    def started(self, body: Mapping[str, Any]) -> None:
        """Notes the start, and each thing that is not as it was at the start before."""
        body = {"version": __version__, **body}
        self.journal.append("start", body, [_letter("started")])
        self._is_started = True
        for change in changes(self._before, body):
            self.journal.append("change", change)

    def close(self) -> None:
        """Notes the stop of what has started, and ends the journal."""
        if self._is_started:
            self.journal.append("stop", {"version": __version__}, [_letter("stopped")])
        if not self.journal.stop():
            log.error("the journal did not end in time")

    def _trouble(self, why: str | None) -> None:
        self._tell({"event": "journal", "ok": why is None, "why": why})


def _letter(what: Literal["started", "stopped"]) -> Letter:
    return letter(DeviceEvent(time_ms=unix_ms(), what=what, version=__version__))
