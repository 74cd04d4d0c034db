"""What daemon and controller tell on their standard output: JSON lines in, a typed record out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from faceedge.decide import PARTING

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ruling:
    """One decision and what became of it.

    time: ISO 8601. latency_ms: from the picture's capture to the controller's verdict, or to the decision when
    nothing was sent. verdict: `opened`, `refused`, `lost`, None when nothing was sent. seq: frame number.
    box: x0 y0 x1 y1 px of that frame.
    """

    time: str
    track: int
    outcome: str
    reason: str
    person: str | None
    similarity: float | None
    quality: float
    latency_ms: float
    verdict: str | None
    why: str
    seq: int
    box: tuple[float, float, float, float] | None

    @property
    def has_opened(self) -> bool:
        return self.verdict == "opened"

    @property
    def delay(self) -> str:
        """Latency in words. A track that ends undecided is judged by its last picture, whose age says nothing."""
        is_parting = self.outcome == "deny" and self.reason in PARTING
        return "–" if is_parting else f"{self.latency_ms:.0f} ms"


@dataclass(frozen=True, slots=True)
class Birth:
    """A track's first frame."""

    track: int
    seq: int


@dataclass(slots=True)
class Record:
    """Everything told in one run.

    counters: as the daemon gave them when it stopped. doors_opened: how often the controller's relay did.
    """

    rulings: list[Ruling] = field(default_factory=list)
    births: list[Birth] = field(default_factory=list)
    counters: dict[str, float] = field(default_factory=dict)
    doors_opened: int = 0

    def take(self, event: Event) -> Ruling | None:
        """Files one event of the daemon; returns the decision if it was one."""
        kind = event.get("event")
        if kind == "decision":
            self.rulings.append(_ruling(event))
            return self.rulings[-1]
        if kind == "track":
            self.births.append(Birth(int(event["track"]), int(event["seq"])))
        elif kind == "stopped":
            self.counters = dict(event.get("counters", {}))
        return None

    def take_from_door(self, event: Event) -> None:
        """Files one event of the controller."""
        self.doors_opened += event.get("event") == "opened"


def parse(line: str) -> Event | None:
    """One line of standard output as an event; None when it is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _ruling(event: Event) -> Ruling:
    box = event.get("box")
    return Ruling(
        time=str(event["time"]),
        track=int(event["track"]),
        outcome=str(event["outcome"]),
        reason=str(event["reason"]),
        person=event.get("person"),
        similarity=event.get("similarity"),
        quality=float(event["quality"]),
        latency_ms=float(event["latency_ms"]),
        verdict=event.get("verdict"),
        why=str(event.get("why") or ""),
        seq=int(event["seq"]),
        box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])) if box else None,
    )
