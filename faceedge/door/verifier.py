"""Controller side: decides whether a grant opens. Pure: no network, no storage, no wall clock.

It opens only if the MAC holds under a key it has, device, door and controller are its own, and the grant answers one
of its last two challenges, each young by its own monotonic clock and good for one open. So late, replayed,
reordered and restored grants are all the same as none.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from faceedge.door.contract import (
    Address,
    BadMessage,
    Challenge,
    DoorKey,
    DoorState,
    Grant,
    Status,
    Verdict,
    fresh_token,
    seal,
    unseal,
)

EVERY_S = 1.0
MAX_AGE_S = 2.5
REMEMBERED_ANSWERS = 64


@dataclass(slots=True)
class _Asked:
    nonce: str
    at: float
    is_spent: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of a received message. grant: only if its MAC held. answer: the verdict's wire, if one is due."""

    opens: bool
    why: str
    grant: Grant | None = None
    answer: bytes | None = None

    def refused(self, why: str) -> Ruling:
        """The same, but the door stays shut: what is behind the judgement did not follow it."""
        return replace(self, opens=False, why=why)


class Verifier:
    """One controller's judgement. One thread at a time. The first key signs, all keys verify.

    counts: what became of received messages. asked: challenges made.
    """

    def __init__(self, address: Address, keys: Sequence[DoorKey], clock: Callable[[], float] = time.monotonic) -> None:
        self.address = address
        self.boot = fresh_token()
        self.counts: Counter[str] = Counter()
        self.asked = 0
        self._keys = keys
        self._clock = clock
        self._ctr = 0
        self._asked: deque[_Asked] = deque(maxlen=2)
        self._has_opened = True  # since the last challenge; at first, to ask at once
        self._answered: deque[str] = deque(maxlen=REMEMBERED_ANSWERS)

    @property
    def is_due(self) -> bool:
        """Time for a new challenge: one a second, and one after every open."""
        return self._has_opened or self._clock() - self._asked[-1].at >= EVERY_S

    def challenge(self) -> bytes:
        """A new challenge, signed; the last but one is void from now on."""
        asked = _Asked(fresh_token(), self._clock())
        self._asked.append(asked)
        self.asked += 1
        self._has_opened = False
        return seal(self._keys[0], Challenge(n=asked.nonce, boot=self.boot, ctr=self._next_ctr()))

    def status(self, state: DoorState) -> bytes:
        """The state of the door, signed."""
        return seal(self._keys[0], Status(state=state, boot=self.boot, ctr=self._next_ctr()))

    def judge(self, wire: bytes) -> Ruling:
        """Rules and answers at once, for a door that always obeys."""
        ruling = self.rule(wire)
        return replace(ruling, answer=self.answer(ruling))

    def rule(self, wire: bytes) -> Ruling:
        """Rules on a message from the grant topic; the answer is made when it is known what the relay did."""
        try:
            grant, key = unseal(Grant, wire, self._keys)
        except BadMessage as bad:
            self.counts[str(bad)] += 1
            return Ruling(False, str(bad))
        why = self._objection(grant, key)
        self.counts[why or "opened"] += 1
        return Ruling(not why, why, grant)

    def answer(self, ruling: Ruling) -> bytes | None:
        """The verdict's wire, None for a message without a valid MAC.

        A refusal is told once a grant, so that replays cannot make us flood the broker.
        """
        if ruling.grant is None or (ruling.why and ruling.grant.id in self._answered):
            return None
        self._answered.append(ruling.grant.id)
        return seal(
            self._keys[0],
            Verdict(id=ruling.grant.id, opened=ruling.opens, why=ruling.why, boot=self.boot, ctr=self._next_ctr()),
        )

    def _objection(self, grant: Grant, key: DoorKey) -> str:
        """Why this genuine grant does not open, or nothing; then its challenge is spent."""
        if Address(grant.dev, grant.door, grant.ctl) != self.address or grant.kid != key.kid:
            return "not for me"
        asked = next((asked for asked in self._asked if asked.nonce == grant.n), None)
        if asked is None:
            return "unknown challenge"
        if asked.is_spent:
            return "spent challenge"
        if self._clock() - asked.at > min(MAX_AGE_S, grant.ttl_ms / 1000):
            return "too late"
        asked.is_spent = self._has_opened = True
        return ""

    def _next_ctr(self) -> int:
        self._ctr += 1
        return self._ctr
