"""What the postman carries: letters without an answer, kinds that the broker refuses, a letter that ends connections.

No thread and no database; the clock is passed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from faceedge.door.connection import Message
from faceedge.journal.outbox import Row
from faceedge.journal.schema import Identity
from faceedge.journal.tally import DROPPED

log = logging.getLogger(__name__)

WINDOW = 32
"""Letters on their way at a time."""
ANSWER_S = 30.0
"""Posted again when the broker has said nothing for so long, although the connection stands."""
PAUSE_MIN_S, PAUSE_MAX_S = 5.0, 300.0
"""A kind that the broker refuses waits this long, twice as long each time."""
LETHAL_S = 2.0
"""A connection that ends so soon after a letter that was alone in it may have ended because of the letter."""
SUSPECT_AFTER, GIVE_UP_AFTER = 3, 10
"""Such endings in a row, with no other letter's among them, until its kind must wait, and until it is given up."""


class Receipt(Protocol):
    """What became of a letter that was posted."""

    @property
    def refusal(self) -> str:
        """Why the broker did not take it, else empty."""
        ...

    def is_done(self) -> bool:
        """The broker has answered."""
        ...

    def is_dead(self) -> bool:
        """Its connection is gone, and no answer came."""
        ...


class Post(Protocol):
    """The part of the uplink that a postman uses."""

    @property
    def connected(self) -> bool:
        """Whether there is any point in posting."""
        ...

    def post(self, message: Message) -> Receipt | None:
        """Sends with QoS 1; None when it cannot be sent now."""
        ...


@dataclass(frozen=True, slots=True)
class _Carried:
    row: Row
    receipt: Receipt
    since: float


@dataclass(slots=True)
class _Hold:
    until: float
    pause_s: float


@dataclass(slots=True, eq=False)
class Postbag:
    """One thread's. topic: what the kind is appended to. done: numbers that the broker has, and that may be deleted."""

    uplink: Post
    topic: str
    clock: Callable[[], float]
    done: list[int] = field(default_factory=list)
    done_since: float = 0.0
    after: int = 0
    """Letters up to this number were looked at."""
    _carried: list[_Carried] = field(default_factory=list)
    _holds: dict[str, _Hold] = field(default_factory=dict)
    _left_out: frozenset[str] = frozenset()
    _window: int = WINDOW
    _file: Identity | None = None
    _suspect: Row | None = None
    _strikes: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is due."""
        return bool(self._carried)

    @property
    def room(self) -> int:
        """How many letters may be posted now."""
        is_alone = self._suspect is not None and any(one.row == self._suspect for one in self._carried)
        return 0 if is_alone else self._window - len(self._carried)

    @property
    def sent(self) -> set[int]:
        """Numbers on their way, or there already."""
        return {one.row.number for one in self._carried} | set(self.done)

    @property
    def refused(self) -> list[str]:
        """Kinds that the broker does not take."""
        return sorted(self._holds)

    def begin(self) -> None:
        """Looks from the start again when a kind that was left out need not wait any more."""
        if self._left_out - self._waits():
            self.after, self._left_out = 0, frozenset()

    def held(self) -> frozenset[str]:
        """Kinds to leave out now. One that was refused is tried with one letter, so that its order stays."""
        held = self._waits()
        self._left_out |= held
        return held

    def post(self, row: Row) -> bool:
        """False when it cannot be sent now. A suspect goes alone."""
        if self.room <= 0 or (row == self._suspect and self._carried):
            return False
        receipt = self.uplink.post(Message(f"{self.topic}/{row.letter.kind}", row.letter.payload, qos=1))
        if receipt is not None:
            self._carried.append(_Carried(row, receipt, self.clock()))
            self.after = row.number
        return receipt is not None

    def collect(self) -> None:
        """Takes the answers. When a connection has ended, or is silent, everything unanswered is posted again."""
        carried, self._carried = self._carried, []
        for one in carried:
            if not one.receipt.is_done():
                self._carried.append(one)
            elif why := one.receipt.refusal:
                self._refused(one.row, why)
            else:
                self._accepted(one.row)
        now = self.clock()
        is_dead = any(one.receipt.is_dead() for one in self._carried)
        is_silent = any(now - one.since > ANSWER_S for one in self._carried)
        if is_dead or is_silent:
            self._start_over(is_silent or now - self._carried[0].since <= LETHAL_S)

    def given_up(self) -> Row | None:
        """A letter that no connection has outlived; asked once."""
        row = self._suspect
        if row is None or self._strikes < GIVE_UP_AFTER or row.letter.kind == DROPPED:
            return None
        log.error(
            "event %s (%s, %d bytes) is given up: each time it was sent the broker hung up; look at its size limits",
            row.letter.id, row.letter.kind, len(row.letter.payload),
        )  # fmt: skip
        self._suspect, self._strikes = None, 0
        return row

    def meet(self, file: Identity) -> None:
        """The database was opened: in another file the numbers mean nothing."""
        if file != self._file:
            self._file = file
            self._carried, self.done, self.after, self._suspect = [], [], 0, None

    def _waits(self) -> frozenset[str]:
        now, tried = self.clock(), {one.row.letter.kind for one in self._carried}
        return frozenset(kind for kind, hold in self._holds.items() if hold.until > now or kind in tried)

    def _accepted(self, row: Row) -> None:
        self._window = WINDOW
        if not self.done:
            self.done_since = self.clock()
        self.done.append(row.number)
        if row == self._suspect:
            self._suspect, self._strikes = None, 0
        if self._holds.pop(row.letter.kind, None):
            log.info("the broker takes events of kind %s again", row.letter.kind)

    def _refused(self, row: Row, why: str) -> None:
        """Later letters of its kind wait with it: the order is worth more than the hurry."""
        kind = row.letter.kind
        if kind not in self._holds:
            log.error("the broker refuses events of kind %s (%s), so they wait here; see its access list", kind, why)
        if kind not in self._waits():
            self._hold(kind)

    def _hold(self, kind: str) -> None:
        before = self._holds.get(kind)
        pause_s = min(2 * before.pause_s, PAUSE_MAX_S) if before else PAUSE_MIN_S
        self._holds[kind] = _Hold(self.clock() + pause_s, pause_s)
        self._left_out |= {kind}

    def _start_over(self, is_striking: bool) -> None:
        """The oldest goes first and alone, until the broker has answered: if it ends connections, that shows."""
        first = self._carried[0].row
        if is_striking and len(self._carried) == 1:
            self._strikes = self._strikes + 1 if first == self._suspect else 1
            self._suspect = first
            if self._strikes >= SUSPECT_AFTER or first.letter.kind in self._holds:
                self._hold(first.letter.kind)
        self._carried, self._window, self.after = [], 1, 0
