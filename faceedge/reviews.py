"""Reviews that asked for a second factor, and the grants that one makes of them. Pure, the clock is passed in.

One confirm makes one decision, which goes the way of all others: rules, lockdown, journal, door. When its grant is
lost on the way, the face is judged anew and asks again. One thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from faceedge.types import SECOND_FACTOR_S, Decision, Factor

UNKNOWN, USED, LATE = "unknown decision", "used", "too late"
REMEMBERED = 256
"""Questions that are remembered, so that who answers late or twice is told so. Far more than come in 30 s."""


@dataclass(slots=True)
class _Question:
    review: Decision
    asked: float
    is_used: bool = False


@dataclass(slots=True)
class Reviews:
    """look: what the judge makes of a review now that it is confirmed, or why nothing."""

    look: Callable[[Decision, float], Decision | str]
    _questions: dict[str, _Question] = field(default_factory=dict)

    def note(self, told: Decision, now: float) -> None:
        """Remembers a decision as it was told, if it is a review that could open a door."""
        if told.outcome != "review" or not told.doors:
            return
        self._questions[told.id] = _Question(told, now)
        while len(self._questions) > REMEMBERED:
            del self._questions[next(iter(self._questions))]

    def confirm(self, review: str, now: float) -> Decision | str:
        """The grant, good for the doors asked about as far as the rules still allow them; or why there is none.

        A confirm that is refused does not use the question up: who was looking away may turn back.
        """
        question = self._questions.get(review)
        if question is None:
            return UNKNOWN
        if question.is_used:
            return USED
        if not 0 <= now - question.asked <= SECOND_FACTOR_S:
            return LATE
        grant = self.look(question.review, now)
        if isinstance(grant, str):
            return grant
        question.is_used = True
        return replace(grant, factor=Factor(review, question.review.doors))
