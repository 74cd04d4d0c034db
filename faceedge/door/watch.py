"""Device side: in which state a controller's door is, as far as can be believed. Pure.

A status counts only while challenges of the same boot come in: a recording of an old one shows nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from faceedge.door.challenges import Challenges
from faceedge.door.contract import BadMessage, DoorKey, DoorState, Status, unseal


class View(NamedTuple):
    """What is shown of a controller. answering: it asks for grants. state: `unknown` until it has told."""

    state: DoorState | Literal["unknown"]
    answering: bool


UNKNOWN = View("unknown", False)
"""What is known of a controller at first."""


class Watch:
    """Feed it every message of the status topic; ask `view` at any time."""

    def __init__(self, keys: Sequence[DoorKey], challenges: Challenges) -> None:
        self._keys = keys
        self._challenges = challenges
        self._last: Status | None = None
        self._has_left = False
        self.counts: Counter[str] = Counter()

    def receive(self, wire: bytes) -> None:
        """Takes a status that is genuine and newer than the last; the rest is counted."""
        try:
            status, _ = unseal(Status, wire, self._keys)
        except BadMessage as bad:
            self.counts[f"status {bad}"] += 1
            return
        if status.state == "offline":  # a will, signed when the controller connected: its counter is old
            self._has_left = True
        elif self._is_news(status):
            self._last, self._has_left = status, False
        else:
            self.counts["status replayed"] += 1

    def view(self) -> View:
        """`offline` is believed only of a controller that does not ask for grants, all else only of one that does."""
        living = self._challenges.living()
        if living is None:
            return View("offline" if self._has_left else "unknown", False)
        if self._last is not None and self._last.boot == living.boot:
            return View(self._last.state, True)
        return View("unknown", True)

    def _is_news(self, status: Status) -> bool:
        if self._last is not None and status.boot == self._last.boot:
            return status.ctr > self._last.ctr
        return self._is_of_living(status)

    def _is_of_living(self, status: Status) -> bool:
        living = self._challenges.living()
        return living is None or living.boot == status.boot
