"""Decision out: a journal entry, a grant to every controller of the door, one event line for people, counters.

A grant is on disk before it is sent, and not sent when it cannot be written. It is now or never: past its deadline,
without a link, or without a verdict in time it is lost and said so.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, NamedTuple, Protocol

from faceedge.config import Door
from faceedge.door.events import Letter
from faceedge.door.link import GrantResult
from faceedge.errors import FaceedgeError
from faceedge.journal.bodies import (
    asked_body,
    decision_body,
    decision_letter,
    grant_body,
    own_limits_body,
    seen,
    unsent_body,
    verdict_body,
)
from faceedge.types import Decision

Event = dict[str, Any]

GRANT_WAIT_S = 0.4
"""A grant that is not on disk by then is not sent. It would be too late soon anyway."""
MOST_ASKED = 8
"""Doors that a second factor can be asked for, as `door/signed.py` has it."""
LOCKED = "lockdown: it came while the grant was being written down"
TOO_LATE = "too late: the decision took longer than its deadline"


class GrantSender(Protocol):
    """The part of the door link that a publisher uses."""

    def send_grant(self, door: str, *, reason: str, sub: str, pulse_ms: int, ttl_ms: int, token: str) -> str | None:
        """None when the grant is on its way, else why it is not."""
        ...

    def publish_decision(self, body: Event) -> None:
        """Outcome, reason and band for people and home automation."""
        ...


class Diary(Protocol):
    """The part of the journal that a publisher uses."""

    def append(self, kind: str, body: Event, letters: Sequence[Letter] = ()) -> object:
        """Written soon, in the order of the calls, and with it the letters that go to the broker."""
        ...

    def append_now(self, kind: str, body: Event, wait_s: float) -> int:
        """Returns when it is on disk. Raises FaceedgeError when it is not, or not in time."""
        ...


class Published(NamedTuple):
    """A decision as it was told: the doors it is good for, or the refusal that was left of it.

    lost: why its grant got nowhere, when that showed at once.
    """

    decision: Decision
    lost: str = ""


@dataclass(slots=True)
class _Attempt:
    """One decision; when it is a grant, at `doors` that have not answered yet. lost: why it opened none of them."""

    decision: Decision
    doors: int
    opened: bool = False
    lost: str = ""

    @property
    def id(self) -> str:
        return self.decision.id


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
    journal: without one nothing is written down. limits: the thresholds that its entries name; own_limits: those of
        doors that have some of their own.
    ask: makes the event that asks for a second factor, of every review that could open one of its doors;
        None when it cannot be asked for. is_locked: asked once more before a grant leaves.
    """

    link: GrantSender | None
    doors: Mapping[str, Sequence[Door]]
    tell: Callable[[Event], None]
    retry: Callable[[str, int, int], None]
    realtime: bool = True
    clock: Callable[[], float] = time.monotonic
    journal: Diary | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    own_limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ask: Callable[[Decision], Letter | None] | None = None
    is_locked: Callable[[], bool] = lambda: False
    counters: Counter[str] = field(default_factory=Counter)
    _pending: dict[str, _Pending] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_waiting(self) -> bool:
        """Whether a grant is still on its way."""
        return bool(self._pending)

    def measured_by(self, limits: Mapping[str, float], own_limits: Mapping[str, Mapping[str, float]]) -> None:
        """Other numbers decide from now on."""
        self.limits, self.own_limits = limits, own_limits

    def publish(self, decision: Decision) -> Published:
        """Writes down, then sends a grant or tells a refusal; drops what is past its deadline."""
        self.counters[f"decision_{decision.outcome}"] += 1
        if self._is_late(decision):
            self.counters["late_publish_old"] += 1
            attempt = _Attempt(decision, 1)
            self._note_decision(attempt)
            self._lost(attempt, _nowhere(TOO_LATE))
            return Published(decision, TOO_LATE)
        decision, doors = self._narrowed(decision)
        attempt = _Attempt(decision, len(doors))
        if decision.outcome == "grant" and doors and self.link is not None:
            self._note_decision(attempt)
            self._grant(self.link, attempt, doors)
        else:
            self._note_decision(attempt, [decision_letter(decision, decision.doors, None, "")])
            self._say(attempt, None, "")
            self._ask(decision)
        return Published(attempt.decision, attempt.lost)

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
            self._note_verdict(pending.attempt, result)
            self._say(pending.attempt, "opened", "")
            self._answered(pending.attempt, opened=True)
        else:
            self._lost(pending.attempt, pending.worst)

    def _narrowed(self, decision: Decision) -> tuple[Decision, list[Door]]:
        """The doors that a decision may open, and the refusal that is left of it when there are none."""
        watched = self.doors.get(decision.camera, ())
        asked = decision.doors if decision.factor is None else decision.factor.doors
        ruled = [door for door in watched if door.name in decision.doors and door.name in asked]
        # No liveness model can be loaded yet, so a door that demands one opens for nobody.
        doors = [door for door in ruled if door.liveness == "off"]
        if decision.outcome != "deny" and watched and not doors:
            reason = "no_liveness" if ruled else "not_here"
            return replace(decision, outcome="deny", reason=reason, band="none", doors=()), []
        if decision.outcome == "review":
            doors = doors[:MOST_ASKED]
        return replace(decision, doors=tuple(door.name for door in doors)), doors

    def _ask(self, decision: Decision) -> None:
        """A film that is played has nobody to ask."""
        if decision.outcome != "review" or not decision.doors or self.ask is None or not self.realtime:
            return
        asking = self.ask(decision)
        if self.journal is not None and asking is not None:
            self.journal.append("second_factor", asked_body(decision), [asking])

    def _is_late(self, decision: Decision) -> bool:
        return self.realtime and decision.outcome == "grant" and self.clock() > decision.deadline

    def _grant(self, link: GrantSender, attempt: _Attempt, doors: Sequence[Door]) -> None:
        decision = attempt.decision
        if not self._is_written(attempt, doors):
            return
        late = self._is_late(decision)  # the disk took its time
        if late or self.is_locked():
            self.counters["late_publish_old"] += late
            attempt.doors = 1
            self._lost(attempt, _nowhere(TOO_LATE if late else LOCKED))
            return
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
                self._lost(attempt, GrantResult(token, door.name, "", "lost", refusal, 0.0))

    def _is_written(self, attempt: _Attempt, doors: Sequence[Door]) -> bool:
        """Waits until the grant is on disk. When it is not, the grant becomes a refusal and may be decided anew."""
        if self.journal is None:
            return True
        try:
            wait_s = GRANT_WAIT_S if self.realtime else 10 * GRANT_WAIT_S
            self.journal.append_now("grant", grant_body(attempt.id, attempt.decision, doors), wait_s)
        except FaceedgeError as error:
            self.counters["grant_unsent"] += 1
            names = [door.name for door in doors]
            letters = [decision_letter(attempt.decision, names, "unsent", str(error))]
            self.journal.append("verdict", unsent_body(attempt.id, str(error)), letters)
            attempt.decision = replace(attempt.decision, outcome="deny", reason="journal", band="none", doors=())
            self._say(attempt, None, str(error))
            self._retry(attempt.decision)
            return False
        return True

    def _lost(self, attempt: _Attempt, result: GrantResult) -> None:
        self.counters[f"grant_{result.verdict}"] += 1
        self._note_verdict(attempt, result)
        self._say(attempt, result.verdict, result.why)
        self._answered(attempt, opened=False, why=result.why)

    def _answered(self, attempt: _Attempt, *, opened: bool, why: str = "") -> None:
        """Only a grant that opened no door at all is tried again: it would go to the opened ones, too."""
        with self._lock:
            attempt.doors -= 1
            attempt.opened |= opened
            is_vain = attempt.doors == 0 and not attempt.opened
        if is_vain:
            attempt.lost = why
            self._retry(attempt.decision)

    def _retry(self, decision: Decision) -> None:
        self.retry(decision.camera, decision.track, decision.segment)

    def _note_decision(self, attempt: _Attempt, letters: Sequence[Letter] = ()) -> None:
        self.counters[f"judged_{attempt.decision.outcome}_{attempt.decision.reason}"] += 1
        if self.journal is not None:
            body = decision_body(attempt.id, attempt.decision, self.limits, self._age_ms(attempt.decision))
            self.journal.append("decision", body | self._own(attempt.decision), letters)

    def _own(self, decision: Decision) -> Event:
        """Numbers of the camera's doors that differ from the usual ones, and the doors whose numbers were met."""
        watched = [door.name for door in self.doors.get(decision.camera, ()) if door.name in self.own_limits]
        return own_limits_body({door: self.own_limits[door] for door in watched}, decision) if watched else {}

    def _note_verdict(self, attempt: _Attempt, result: GrantResult) -> None:
        if self.journal is not None:
            named = [result.door] if result.door else attempt.decision.doors
            doors = [door for door in named if door]  # a camera may watch none
            letters = [decision_letter(attempt.decision, doors, result.verdict, result.why)]
            self.journal.append("verdict", verdict_body(attempt.id, result, self._age_ms(attempt.decision)), letters)

    def _say(self, attempt: _Attempt, verdict: str | None, why: str) -> None:
        decision = attempt.decision
        if self.link is not None:
            body = {"outcome": decision.outcome, "reason": decision.reason, "band": decision.band}
            self.link.publish_decision(body)
        event = decision_event(decision, verdict, why, self._age_ms(decision))
        self.tell({**event, "id": attempt.id})

    def _age_ms(self, decision: Decision) -> float | None:
        return round(1000 * (self.clock() - decision.evidence.captured), 1) if self.realtime else None


def decision_event(decision: Decision, verdict: str | None, why: str, latency_ms: float | None) -> Event:
    """The event of one decision as JSON types."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    told = {"latency_ms": latency_ms, "verdict": verdict, "why": why}
    return {"event": "decision", "time": now, **seen(decision), **told}


def _nowhere(why: str) -> GrantResult:
    """A grant that went to no door."""
    return GrantResult("", "", "", "lost", why, 0.0)
