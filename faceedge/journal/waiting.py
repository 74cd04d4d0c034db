"""Entries on their way to the disk, in order, and when they must be there. The clock is passed in."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from faceedge.errors import FaceedgeError, StoreError
from faceedge.journal.entry import Draft
from faceedge.journal.tally import Tally

BATCH_S = 0.1
"""An entry waits for others no longer than this; the other half of 200 ms is for the disk."""
BATCH_MOST = 500
WAITING_MOST = 10_000
"""While nothing can be written this many entries are kept in memory; then the oldest are lost, and counted."""
RETRY_S = 1.0


@dataclass(slots=True, eq=False)
class Ticket:
    """One entry on its way. is_urgent: somebody waits for it, and gives up rather than have it written late."""

    draft: Draft
    is_urgent: bool
    since: float
    seq: int = 0
    error: FaceedgeError | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout_s: float) -> int:
        """The number of the entry, once it is on disk. Raises StoreError when it is not, or not in time."""
        if not self._done.wait(timeout_s):
            raise StoreError(f"journal: not on disk within {timeout_s * 1000:.0f} ms; look at the disk")
        if self.error is not None:
            raise self.error
        return self.seq

    def done(self, seq: int = 0, error: FaceedgeError | None = None) -> None:
        """Wakes who waits."""
        self.seq, self.error = seq, error
        self._done.set()


@dataclass(slots=True, eq=False)
class Waiting:
    """Not locked: whoever uses it holds the journal's lock."""

    clock: Callable[[], float]
    tickets: deque[Ticket] = field(default_factory=deque)
    lost: int = 0
    unsent: Tally = field(default_factory=Tally)
    """The letters of what was lost."""
    retry_at: float | None = None
    """When to try again after a failure."""

    def put(self, ticket: Ticket) -> None:
        """Adds an entry at the end."""
        self.tickets.append(ticket)
        while len(self.tickets) > WAITING_MOST:
            lost = self.tickets.popleft()
            lost.done(error=StoreError("journal: too many entries wait; look at the disk"))
            self.lost += 1
            for letter in lost.draft.letters:
                self.unsent.add(letter.kind, lost.draft.time_ms)

    def take(self) -> list[Ticket]:
        """What is to be written now, in order."""
        return [self.tickets.popleft() for _ in range(min(BATCH_MOST, len(self.tickets)))]

    def give_back(self, batch: list[Ticket], error: FaceedgeError) -> None:
        """The batch could not be written: urgent entries fail, the others wait for the next attempt."""
        for ticket in batch:
            if ticket.is_urgent:
                ticket.done(error=error)
        self.tickets.extendleft(reversed([ticket for ticket in batch if not ticket.is_urgent]))
        self.retry_at = self.clock() + RETRY_S

    def withdraw(self, ticket: Ticket) -> None:
        """Nobody waits for it any more; unless it is being written, it never is."""
        if ticket in self.tickets:
            self.tickets.remove(ticket)

    def losses(self) -> tuple[int, Tally]:
        """How many entries are lost and not written down as such, and their letters, as of now."""
        return self.lost, self.unsent.copy()

    def written(self, lost: int, unsent: Tally) -> None:
        """The disk takes entries again, and these losses are on it."""
        self.retry_at = None
        self.lost -= lost
        self.unsent.take(unsent)

    def due_in_s(self) -> float:
        """How long the next batch may still wait; infinite when nothing waits."""
        if any(ticket.is_urgent for ticket in self.tickets):
            return 0.0
        if self.retry_at is not None:
            return max(0.0, self.retry_at - self.clock())
        if not self.tickets:
            return float("inf")
        if len(self.tickets) >= BATCH_MOST:
            return 0.0
        return max(0.0, self.tickets[0].since + BATCH_S - self.clock())
