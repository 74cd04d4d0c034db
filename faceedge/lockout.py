"""Whoever fails at the door again and again needs a second factor for a while. Pure, the clock is passed in.

What is remembered is how faces looked that were not recognised, never whom they resembled: the lock holds for who looks
more like those failures than like the person they want to be taken for. So a stranger who resembles Anna locks out that
stranger, and Anna walks in meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from faceedge.types import Match, Template

TRIES = 5
"""Failures before the first lock; after it, each one more locks again, for twice as long."""
APART_S = 10.0
"""Failures that come sooner count as one: who waits in view, looking elsewhere, is refused every few seconds."""
FIRST_S, LONGEST_S = 30.0, 300.0
FORGOTTEN_AFTER_S = 600.0
"""Since the last failure, or the end of the lock."""
REMEMBERED = 64
"""Faces. When there are more, the one that failed longest ago is forgotten, first of those that are not locked."""

Similarity = Callable[[Template, Template], float]


@dataclass(slots=True, eq=False)
class _Failing:
    template: Template
    failures: int = 0
    until: float = -math.inf
    counted: float = -math.inf
    newest: float = -math.inf


@dataclass(slots=True)
class Lockout:
    """same: raw similarity from which two pictures count as one face."""

    similarity: Similarity
    same: float
    _known: list[_Failing] = field(default_factory=list)

    def succeed(self, before: Lockout) -> None:
        """Remembers what another one did, whose templates compare with those to come."""
        self._known = before._known

    def failed(self, template: Template, now: float) -> None:
        """A face was refused as unknown, or asked for a second factor."""
        one = self._like(template, now) or self._new(template)
        one.template, one.newest = template, now
        if now < one.until or now - one.counted < APART_S:
            return
        one.counted = now
        one.failures += 1
        if one.failures >= TRIES:
            one.until = now + min(LONGEST_S, FIRST_S * 2 ** min(one.failures - TRIES, 10))

    def passed(self, template: Template, now: float) -> None:
        """A face was let in, by itself or with a second factor: what failed before was that person's bad luck."""
        one = self._like(template, now)
        if one is not None:
            self._known.remove(one)

    def is_locked(self, template: Template, match: Match, now: float) -> bool:
        """Whether this face is locked out now, as the person that it matches."""
        return any(
            now < one.until and self.similarity(one.template, template) >= max(self.same, match.similarity)
            for one in self._known
        )

    def _like(self, template: Template, now: float) -> _Failing | None:
        self._known = [one for one in self._known if now - max(one.newest, one.until) <= FORGOTTEN_AFTER_S]
        scored = [(self.similarity(one.template, template), number) for number, one in enumerate(self._known)]
        score, number = max(scored, default=(-math.inf, 0))
        return self._known[number] if score >= self.same else None

    def _new(self, template: Template) -> _Failing:
        if len(self._known) >= REMEMBERED:
            self._known.remove(min(self._known, key=lambda one: (one.until, one.newest)))
        self._known.append(_Failing(template))
        return self._known[-1]
