"""One question from one thread to another: answered, or withdrawn in time and then never taken up."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")

FAILED = "internal fault; see the log"


class Errand(Generic[T]):
    """order: what is asked for. One thread waits, another takes it up and answers."""

    def __init__(self, order: T) -> None:
        self.order = order
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._answer = FAILED
        self._is_taken = self._is_withdrawn = False

    def take(self) -> bool:
        """False when nobody waits for it any more: then it must not be done. Whoever takes it must `answer`."""
        with self._lock:
            self._is_taken = not self._is_withdrawn
            return self._is_taken

    def answer(self, text: str = FAILED) -> None:
        """Wakes who waits. The first answer counts."""
        if not self._answered.is_set():
            self._answer = text
            self._answered.set()

    def wait(self, taken_within_s: float, done_within_s: float, busy: str, unsettled: str) -> str:
        """The answer. busy: it was not taken up in time and never will be. unsettled: it was, and no answer came."""
        if not self._answered.wait(taken_within_s):
            with self._lock:
                self._is_withdrawn = not self._is_taken
            if self._is_withdrawn:
                return busy
            if not self._answered.wait(done_within_s):
                return unsettled
        return self._answer
