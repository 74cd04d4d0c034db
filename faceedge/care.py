"""What a running daemon does for the next start: keeps what has worked, and leaves the safe mode in time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from faceedge.config import Config
from faceedge.health.starts import WINDOW_S, Starts
from faceedge.safe_mode import SafeMode, recall, remember, sections

log = logging.getLogger(__name__)

WORKED_S = 60.0
"""A configuration has worked when frames came and no stage failed for so long. Where another one has worked before,
it must have lasted for longer than a crash loop is counted, too: else a configuration that ends every two minutes would
be what the safe mode falls back on."""
GAP_S = 5.0
RETRY_S = 3600.0


@dataclass(slots=True)
class Care:
    """What a daemon that is watched by systemd does for the next start. The main thread calls `look` every second.

    safe: that this one runs in safe mode. is_over: a run before it did, and this one tries without. now: tells the
    configuration as it is on disk from others. clock: monotonic.
    """

    state: Path
    config: Config
    starts: Starts
    safe: SafeMode | None
    now: Callable[[], str]
    clock: Callable[[], float] = time.monotonic
    is_over: bool = False
    _began: float = field(init=False)
    _well_since: float = field(init=False)
    _moved: float = field(init=False)
    _tried: float = field(init=False)
    _seen: str = field(init=False)
    _counts: tuple[int, int] = (0, 0)
    _lasts_s: float = field(init=False)
    _is_kept: bool = False
    _is_settled: bool = False

    def __post_init__(self) -> None:
        self._lasts_s = WORKED_S if recall(self.state) in (None, sections(self.config)) else WINDOW_S
        self._began = self._well_since = self._moved = self._tried = self.clock()
        self._seen = self.now() if self.safe is not None else ""

    def look(self, frames: int, faults: int) -> bool:
        """Keeps the configuration once it has worked. frames, faults: since the start. True: it is time to leave the
        safe mode, because the configuration has changed, or for another try."""
        now = self.clock()
        self._note(now, frames, faults)
        if not self._is_kept and self.safe is None and now - self._well_since >= self._lasts_s:
            self._is_kept = True
            self._aside(lambda: remember(self.state, self.config))
        if not self._is_settled and now - self._began >= WINDOW_S:
            self._is_settled = True
            self._aside(self.starts.settle)
        return self.safe is not None and self._is_time(now)

    def _note(self, now: float, frames: int, faults: int) -> None:
        if frames != self._counts[0]:
            self._moved = now
        if faults != self._counts[1] or frames == 0 or now - self._moved > GAP_S:
            self._well_since = now
        self._counts = frames, faults

    def _is_time(self, now: float) -> bool:
        config = self.now()
        has_changed, self._seen = config != self._seen, config
        if has_changed or now - self._tried >= RETRY_S:
            self._tried = now
            return True
        return False

    @staticmethod
    def _aside(work: Callable[[], None]) -> None:
        """A disk that is slow must not hold up the main thread."""

        def run() -> None:
            try:
                work()
            except OSError as error:
                log.warning("safe mode: what works cannot be kept (%s)", error.strerror)

        threading.Thread(target=run, name="safe mode", daemon=True).start()
