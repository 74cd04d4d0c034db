"""Events out as lines of JSON, by a thread of their own: a reader that is slow or gone must not hold up a door."""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)

PATIENCE_S = 0.5
"""How long the end waits for a reader that is behind."""


class JsonLines:
    """Whole lines on a file descriptor, in the order they were told. Use it in a `with` block.

    most: events that wait for the reader; of more the oldest is dropped. 0: all wait, and the end waits for them.
    on_gone: called once from the writing thread when nobody reads any more.
    """

    def __init__(self, descriptor: int, most: int = 0) -> None:
        self.on_gone: Callable[[], None] = lambda: None
        self.dropped = 0
        self._descriptor = descriptor
        self._most = most
        self._lines: queue.Queue[bytes] = queue.Queue(most)
        self._thread = threading.Thread(target=self._write, name="events", daemon=True)

    def tell(self, event: dict[str, Any]) -> None:
        """Queues one event; never waits, from any thread. Raises ValueError for a number that JSON has not."""
        self.say(json.dumps(event, ensure_ascii=True, allow_nan=False) + "\n")

    def say(self, line: str) -> None:
        """Queues a whole line as it is, likewise."""
        self._put(line.encode("utf-8", "replace"))

    def __enter__(self) -> JsonLines:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put(b"")
        self._thread.join(PATIENCE_S if self._most else None)
        if self.dropped:
            log.warning("%d events were dropped: their reader is too slow", self.dropped)

    def _put(self, line: bytes) -> None:
        while True:
            try:
                return self._lines.put_nowait(line)
            except queue.Full:
                with suppress(queue.Empty):
                    self._lines.get_nowait()
                    self.dropped += 1

    def _write(self) -> None:
        try:
            while line := self._lines.get():
                while line:
                    # Past sys.stdout: its lock, held by a blocked write, would abort the interpreter's exit.
                    line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            log.warning("nobody reads the events any more (%s), leaving", error.strerror)
            self.on_gone()
