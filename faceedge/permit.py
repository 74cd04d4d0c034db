"""Decision in, decision out: a grant is left to the doors whose rules allow it now, or becomes a refusal.

Under lockdown every grant and review becomes one, before anything else is asked, and so it does while the pictures of
the camera cannot be trusted.

Also keeps who was seen where, for people who need an escort. One thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from faceedge.rules.answer import NEAREST, Answer, decide
from faceedge.rules.book import LONGEST_ESCORT_S, Book
from faceedge.types import Decision

LOCKDOWN = "lockdown"
CAMERA = "camera"
UNREADABLE = "rules_unreadable"
NO_DOOR = ("",)
"""For a camera that watches no door: only rules for every door count."""
MOST_BLOCKED = 1000

Case = tuple[str, int, int]


@dataclass(slots=True)
class Permit:
    """Asks the rules for every grant and review.

    book: the rules as they are now, None when they cannot be read. doors: names by camera. now: None when no clock
    can be trusted. retry: a face (camera, track, segment) may be decided anew. is_locked: whether there is a lockdown.
    why_shut: what is wrong with the pictures of a camera, empty when nothing is. It is asked at every decision, because
    shots that were taken before are still on their way.
    """

    book: Callable[[], Book | None]
    doors: Mapping[str, Sequence[str]]
    now: Callable[[], datetime | None]
    retry: Callable[[str, int, int], None]
    is_locked: Callable[[], bool]
    why_shut: Callable[[str], str] = lambda _camera: ""
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _waiting: dict[Case, set[str]] = field(default_factory=dict)
    _blocked: dict[Case, None] = field(default_factory=dict)

    def __call__(self, decision: Decision) -> Decision:
        """The same decision with the doors it is good for, or a refusal with the reason nearest to passing."""
        if decision.outcome == "deny":
            return decision
        if self.is_locked():
            return _refused(decision, LOCKDOWN)
        if self.why_shut(decision.camera):
            return _refused(decision, CAMERA)
        book = self.book()
        if book is None or decision.person is None:
            return _refused(decision, UNREADABLE if book is None else "unknown")
        if self._is_blocked(book, decision, decision.person):
            return _refused(decision, "blocked")
        return self._asked(book, decision, decision.person)

    def _is_blocked(self, book: Book, decision: Decision, person: str) -> bool:
        """Once a face was likely that of a blocked person, it stays refused whoever it looks like afterwards."""
        case = (decision.camera, decision.track, decision.segment)
        if book.is_blocked(person):
            self._blocked[case] = None
            if len(self._blocked) > MOST_BLOCKED:
                del self._blocked[next(iter(self._blocked))]
        return case in self._blocked

    def _asked(self, book: Book, decision: Decision, person: str) -> Decision:
        now = self.now()
        at_s = decision.evidence.captured
        doors = [door for door in self.doors.get(decision.camera) or NO_DOOR if _is_fit(decision, door)]
        answers = {door: decide(book, person, door, now, self._company(door, at_s)) for door in doors}
        if decision.outcome == "grant":
            self._note(decision, person, answers)
        good = tuple(door for door, answer in answers.items() if answer.allowed)
        if good:
            return replace(decision, doors=good)
        reasons = (answer.reason for answer in answers.values())
        return _refused(decision, min(reasons, key=NEAREST.index, default="not_here"))

    def _company(self, door: str, at_s: float) -> dict[str, float]:
        return {person: abs(at_s - seen_s) for (where, person), seen_s in self._seen.items() if where == door}

    def _note(self, decision: Decision, person: str, answers: Mapping[str, Answer]) -> None:
        """Who was recognised is there for others to be escorted; whoever waited for that may be decided anew."""
        at_s, case = decision.evidence.captured, (decision.camera, decision.track, decision.segment)
        self._seen = {key: seen_s for key, seen_s in self._seen.items() if abs(at_s - seen_s) <= LONGEST_ESCORT_S}
        self._seen.update({(door, person): at_s for door in answers})
        arrived = {door for door, answer in answers.items() if answer.allowed}
        for waiting in [one for one, doors in self._waiting.items() if doors & arrived]:
            del self._waiting[waiting]
            if waiting != case:
                self.retry(*waiting)
        if waits := {door for door, answer in answers.items() if answer.reason == "escort_missing"}:
            self._waiting[case] = waits


def _is_fit(decision: Decision, door: str) -> bool:
    """Whether a decision meets the door's own numbers."""
    return decision.fit is None or door in decision.fit


def _refused(decision: Decision, reason: str) -> Decision:
    return replace(decision, outcome="deny", reason=reason, band="none", doors=())
