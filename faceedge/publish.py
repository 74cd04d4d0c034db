"""Decision out: a grant to every controller of the door, one event line for people, counters for the rest.

A grant is now or never: past its deadline, without a link, or without a verdict in time it is lost and said so.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Protocol

from faceedge.config import Door
from faceedge.door.link import GrantResult
from faceedge.types import Decision

Event = dict[str, Any]


class GrantSender(Protocol):
    """The part of the door link that a publisher uses."""

    def send_grant(self, door: str, *, reason: str, sub: str, pulse_ms: int, ttl_ms: int, token: str) -> str | None:
        """None when the grant is on its way, else why it is not."""
        ...

    def publish_decision(self, body: Event) -> None:
        """Outcome, reason and band for people and home automation."""
        ...


@dataclass(slots=True)
class _Attempt:
    """One granted decision at `doors` that have not answered yet."""

    decision: Decision
    doors: int
    opened: bool = False


@dataclass(slots=True)
class _Pending:
    """A grant on its way to `left` controllers of one door."""

    attempt: _Attempt
    left: int
    worst: GrantResult | None = None
    finished: bool = False


@dataclass(slots=True)
class Publisher:
    """Sends what was decided and tells what became of it.

    tell: receives one event a decision. retry: a grant opened no door, the track may be decided anew.
    realtime: False while a file is processed at its own speed, when ages and latencies mean nothing.
    """

    link: GrantSender | None
    doors: Mapping[str, Sequence[Door]]
    tell: Callable[[Event], None]
    retry: Callable[[str, int], None]
    realtime: bool = True
    clock: Callable[[], float] = time.monotonic
    counters: Counter[str] = field(default_factory=Counter)
    _pending: dict[str, _Pending] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_waiting(self) -> bool:
        """Whether a grant is still on its way."""
        return bool(self._pending)

    def publish(self, decision: Decision) -> None:
        """Sends a grant or tells a refusal; drops what is past its deadline."""
        self.counters[f"decision_{decision.outcome}"] += 1
        if self.realtime and decision.outcome == "grant" and self.clock() > decision.deadline:
            self._lost(_Attempt(decision, 1), "too late: the decision took longer than its deadline")
            return
        watched = self.doors.get(decision.camera, ())
        ruled = [door for door in watched if door.name in decision.doors]
        if decision.outcome == "grant" and watched and not ruled:
            decision = replace(decision, outcome="deny", reason="not_here", band="none")
        # No liveness model can be loaded yet, so a door that demands one opens for nobody.
        doors = [door for door in ruled if door.liveness == "off"]
        if decision.outcome == "grant" and watched and not doors:
            decision = replace(decision, outcome="deny", reason="no_liveness", band="none")
        if decision.outcome == "grant" and doors and self.link is not None:
            self._grant(self.link, decision, doors)
        else:
            self._say(decision, None, "")

    def result(self, result: GrantResult) -> None:
        """What a controller answered, or that it did not; called by the link's threads."""
        with self._lock:
            pending = self._pending.get(result.token)
            if pending is None or pending.finished:
                return
            pending.left -= 1
            if pending.worst is None or result.verdict == "refused":
                pending.worst = result
            opened = result.verdict == "opened"
            pending.finished = opened or pending.left <= 0
            if not pending.finished:
                return
            del self._pending[result.token]
        if opened:
            self.counters["grant_opened"] += 1
            self._say(pending.attempt.decision, "opened", "")
            self._answered(pending.attempt, opened=True)
        else:
            self._lost(pending.attempt, pending.worst.why, pending.worst.verdict)

    def _grant(self, link: GrantSender, decision: Decision, doors: Sequence[Door]) -> None:
        attempt = _Attempt(decision, len(doors))
        for door in doors:
            token = uuid.uuid4().hex
            with self._lock:
                self._pending[token] = _Pending(attempt, len(door.controllers))
            refusal = link.send_grant(
                door.name, reason=decision.reason, sub=decision.person or "", pulse_ms=door.pulse_ms,
                ttl_ms=door.ttl_ms, token=token,
            )  # fmt: skip
            if refusal is not None:
                with self._lock:
                    self._pending.pop(token, None)
                self._lost(attempt, refusal)

    def _lost(self, attempt: _Attempt, why: str, verdict: str = "lost") -> None:
        self.counters[f"grant_{verdict}"] += 1
        self._say(attempt.decision, verdict, why)
        self._answered(attempt, opened=False)

    def _answered(self, attempt: _Attempt, *, opened: bool) -> None:
        """Only a grant that opened no door at all is tried again: it would go to the opened ones, too."""
        with self._lock:
            attempt.doors -= 1
            attempt.opened |= opened
            is_vain = attempt.doors == 0 and not attempt.opened
        if is_vain:
            self.retry(attempt.decision.camera, attempt.decision.track)

    def _say(self, decision: Decision, verdict: str | None, why: str) -> None:
        if self.link is not None:
            body = {"outcome": decision.outcome, "reason": decision.reason, "band": decision.band}
            self.link.publish_decision(body)
        latency_ms = round(1000 * (self.clock() - decision.evidence.captured), 1) if self.realtime else None
        self.tell(decision_event(decision, verdict, why, latency_ms))


def decision_event(decision: Decision, verdict: str | None, why: str, latency_ms: float | None) -> Event:
    """The event of one decision as JSON types; numbers rounded to what they are worth."""
    seen = decision.evidence
    return {
        "event": "decision",
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "camera": decision.camera,
        "track": decision.track,
        "segment": decision.segment,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "band": decision.band,
        "person": decision.person,
        "similarity": _rounded(seen.similarity, 4),
        "margin": _rounded(seen.margin, 4),
        "quality": _rounded(seen.quality, 3),
        "votes": seen.votes,
        "shots": seen.shots,
        "seq": seen.seq,
        "box": [round(side, 1) for side in seen.box] if seen.box else None,
        "poor": list(seen.poor),
        "latency_ms": latency_ms,
        "verdict": verdict,
        "why": why,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    """None also for the infinite margin of a gallery of one: JSON has no infinity."""
    return None if value is None or value == float("inf") else round(value, digits)
