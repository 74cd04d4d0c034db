"""The device's nonces for commands: which one is good now, and what is wrong with another. Pure, one thread.

A fresh one every 30 s and after every accepted command; the last two are good, once each, by the device's own clock.
So a command that somebody held back is worth nothing after a minute.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from faceedge.door.contract import fresh_token

EVERY_S = 30.0
MAX_AGE_S = 2 * EVERY_S
UNKNOWN, USED, OLD = "unknown nonce", "used nonce", "old nonce"
STALE = (UNKNOWN, USED, OLD)
"""Why a command is refused that would be good with the newest nonce. Part of the contract: who sends may try again."""


@dataclass(slots=True)
class _Given:
    nonce: str
    at: float
    is_used: bool = False


class Nonces:
    """`newest` may be read by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: deque[_Given] = deque(maxlen=2)
        self.renew()

    @property
    def due_in_s(self) -> float:
        """Until a fresh one is due; below zero when it is late."""
        return self._given[-1].at + EVERY_S - self._clock()

    def renew(self) -> None:
        """A fresh one; the last but one is void from now on."""
        self.newest = fresh_token()
        self._given.append(_Given(self.newest, self._clock()))

    def use(self, nonce: str) -> str:
        """Uses a nonce up; says why it is not good, or nothing."""
        given = next((given for given in self._given if given.nonce == nonce), None)
        if given is None:
            return UNKNOWN
        if given.is_used:
            return USED
        if self._clock() - given.at > MAX_AGE_S:
            return OLD
        given.is_used = True
        return ""
