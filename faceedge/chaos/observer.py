"""Everything that daemon, keeper and controller tell, with the time it was heard."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

REMEMBERED = 500
"""Decisions and opens, the newest: a run may last for days, and a fault does not."""
Kind = Literal["event", "log", "start", "exit", "door", "fault"]


@dataclass(frozen=True, slots=True)
class Sign:
    """at: monotonic seconds. kind: an event of the daemon, a line of its log at WARNING or above, its start, its end,
    an event of the controller, or the fault itself. name: of the event. text: in words."""

    at: float
    kind: Kind
    name: str
    text: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of the daemon. captured: monotonic seconds of the newest picture that counted; told: when the
    daemon told it, with what had become of it."""

    captured: float
    told: float
    outcome: str
    reason: str
    person: str | None
    verdict: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The controller's relay opened, at a monotonic second, for this person."""

    at: float
    person: str


class Observer:
    """Any thread notes, any thread asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wall = wall
        self._change = threading.Condition()
        self.signs: list[Sign] = []
        self.decided: deque[Decided] = deque(maxlen=REMEMBERED)
        self.opened: deque[Opened] = deque(maxlen=REMEMBERED)

    def note(self, kind: Kind, name: str, text: str, body: Mapping[str, Any] | None = None) -> None:
        """Something was told just now."""
        with self._change:
            self.signs.append(Sign(self._clock(), kind, name, text, body or {}))
            self._change.notify_all()

    def event(self, body: Mapping[str, Any]) -> None:
        """An event of the daemon, as it gives it with --json."""
        if body["event"] == "decision":
            self._decision(body)
        self.note("event", str(body["event"]), _words(body), body)

    def door(self, name: str, person: str, why: str) -> None:
        """An event of the controller."""
        if name == "opened":
            with self._change:
                self.opened.append(Opened(self._clock(), person))
        self.note("door", name, why)

    def wait(self, happened: Callable[[], object], until: float) -> bool:
        """Whether it happened before a monotonic second; asked again at every sign."""
        with self._change:
            while not happened():
                left_s = until - self._clock()
                if left_s <= 0:
                    return False
                self._change.wait(min(left_s, 0.1))
            return True

    def first(self, matches: Callable[[Sign], bool], since: float) -> Sign | None:
        """The first sign since then that matches."""
        with self._change:
            lately = itertools.takewhile(lambda sign: sign.at >= since, reversed(self.signs))
            return next((sign for sign in reversed(list(lately)) if matches(sign)), None)

    def last(self, kind: Kind, otherwise: float) -> float:
        """When the last sign of this kind came."""
        with self._change:
            return next((sign.at for sign in reversed(self.signs) if sign.kind == kind), otherwise)

    def decisions(self, start: float, end: float) -> list[Decided]:
        """Those made from pictures of this time."""
        with self._change:
            return [one for one in self.decided if start <= one.captured <= end]

    def opens(self, start: float, end: float) -> list[Opened]:
        """Those of this time."""
        with self._change:
            return [one for one in self.opened if start <= one.at <= end]

    def diary(self) -> str:
        """Everything that was told, a line each, in seconds after the first."""
        with self._change:
            began = self.signs[0].at if self.signs else 0.0
            return "".join(
                f"{sign.at - began:8.2f} {sign.kind:<6} {sign.name:<14} {sign.text}\n" for sign in self.signs
            )

    def _decision(self, body: Mapping[str, Any]) -> None:
        # Its own time, not ours: the line may have waited in a pipe. Both clocks are this machine's.
        told_s = datetime.fromisoformat(str(body["time"])).timestamp()
        told = self._clock() - (self._wall() - told_s)
        captured = told - float(body["latency_ms"] or 0) / 1000
        with self._change:
            self.decided.append(
                Decided(
                    captured, told, str(body["outcome"]), str(body["reason"]), body["person"], body["verdict"],
                    str(body["why"] or ""),
                )
            )  # fmt: skip


def _words(body: Mapping[str, Any]) -> str:
    """For a row of the table: the event and why."""
    if body["event"] == "decision":
        told = [str(body["outcome"]), str(body["reason"]), str(body["verdict"] or ""), str(body["why"] or "")]
        return "decision: " + " ".join(word for word in told if word)
    return " ".join(str(part) for part in (body["event"], body.get("why", "")) if part)
