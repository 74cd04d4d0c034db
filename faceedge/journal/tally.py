"""Counts events that are given up, and makes the `dropped` event that says so. Pure."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from faceedge.door.contract import fresh_token
from faceedge.door.events import DroppedEvent, Letter, letter

DROPPED = DroppedEvent.kind


@dataclass(slots=True)
class Tally:
    """How many of each kind, and when the oldest and the newest were made, in unix milliseconds."""

    counts: Counter[str] = field(default_factory=Counter)
    since_ms: int | None = None
    until_ms: int | None = None

    def add(self, kind: str, *times_ms: int | None, count: int = 1) -> None:
        """times_ms: what is known of when they were made."""
        self.counts[kind] += count
        known = [time for time in (*times_ms, self.since_ms, self.until_ms) if time is not None]
        self.since_ms, self.until_ms = min(known, default=None), max(known, default=None)

    def merge(self, payload: bytes) -> bool:
        """Adds what an earlier `dropped` event said; False when it cannot be read."""
        try:
            body = json.loads(payload)
            earlier = DroppedEvent.model_validate({name: body[name] for name in DroppedEvent.model_fields})
        except (ValueError, KeyError, TypeError):
            return False
        for kind, count in earlier.counts.items():
            self.add(kind, earlier.since_ms, earlier.until_ms, count=count)
        return True

    def copy(self) -> Tally:
        """As it is now."""
        return Tally(self.counts.copy(), self.since_ms, self.until_ms)

    def take(self, told: Tally) -> None:
        """What has been told is not told again."""
        self.counts -= told.counts
        if not self.counts:
            self.since_ms = self.until_ms = None

    def letter(self, time_ms: int | None, known: str = "") -> Letter:
        """known: the id of the event that this one takes the place of."""
        return letter(
            DroppedEvent(
                id=known or fresh_token(),
                time_ms=time_ms,
                counts=dict(sorted(self.counts.items())),
                since_ms=self.since_ms,
                until_ms=self.until_ms,
            )
        )
