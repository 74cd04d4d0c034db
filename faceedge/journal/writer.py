"""The journal of a running daemon: one thread writes what any thread appends, in order, in batches.

Trouble with the disk never raises into the flow: grants are refused by whoever waits for `append_now`, other entries
wait in memory, and the thread tries again every second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from faceedge.door.events import Letter
from faceedge.errors import FaceedgeError, StoreError
from faceedge.health.heartbeat import Heart
from faceedge.health.watchdog import Vital
from faceedge.journal.chain import Chain, Keep, Place
from faceedge.journal.entry import Stamp
from faceedge.journal.signing import Head
from faceedge.journal.tally import Tally
from faceedge.journal.waiting import BATCH_S, Ticket, Waiting

log = logging.getLogger(__name__)

SEAL_S = 300.0
"""What is not signed yet is signed after this."""
TRIM_S = 3600.0
STOP_WITHIN_S = 1.8
BUSY_MS = 500
SILENCE_S = 4.0
"""A worn flash card may take seconds over one write; a door that waits longer for its journal is better begun anew."""


class Journal:
    """Start it, append from any thread, stop it.

    on_trouble: called once with why nothing can be written, and once with None when it can again.
    on_letters: called when letters have come into the outbox; None: none are kept.
    """

    def __init__(
        self,
        open_chain: Callable[[], Chain],
        keep: Keep | None = None,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        stamp: Stamp | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_letters: Callable[[], None] | None = lambda: None,
    ) -> None:
        self._open_chain = open_chain
        self._keep = keep or Keep()
        self._on_trouble = on_trouble
        self._on_letters = on_letters
        self._stamp = stamp or Stamp()
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting = Waiting(clock)
        self._stopping = False
        self._chain: Chain | None = None
        self._place: Place | None = None
        self._trouble: str | None = None
        self._seal_at = clock() + SEAL_S
        self._trim_at = clock()
        self._head: Callable[[], Head] | None = None
        self._heart = Heart("journal", SILENCE_S, clock)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    @classmethod
    def of(
        cls,
        state: Path,
        keep: Keep,
        on_trouble: Callable[[str | None], None],
        on_letters: Callable[[], None] | None = lambda: None,
    ) -> Journal:
        """The journal of a state directory."""
        return cls(lambda: Chain.open(state, BUSY_MS), keep, on_trouble, on_letters=on_letters)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written, or None."""
        return self._trouble

    @property
    def vital(self) -> Vital:
        """Its thread, without which no door opens."""
        return Vital(self._heart, self._thread.is_alive, lambda: self._stopping)

    def start(self) -> None:
        """Starts the thread, which opens the database."""
        self._thread.start()

    def stop(self) -> bool:
        """Writes what waits, signs it, ends the thread; False when it did not end within 2 s."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(STOP_WITHIN_S)
        return not self._thread.is_alive()

    def append(self, kind: str, body: Mapping[str, Any], letters: Sequence[Letter] = ()) -> Ticket:
        """On disk within 200 ms, in the order of the calls; the ticket tells when. Raises BadInput for a bad body.

        letters: what the broker is to be told about it; in the outbox in the same moment as the entry is on disk.
        """
        return self._put(kind, body, letters, is_urgent=False)

    def append_now(self, kind: str, body: Mapping[str, Any], wait_s: float, letters: Sequence[Letter] = ()) -> int:
        """Number of the entry, which is on disk, and with it all before it.

        Raises StoreError when it is not on disk in time; unless it was just being written, neither it nor its letters
        ever will be.
        """
        ticket = self._put(kind, body, letters, is_urgent=True)
        try:
            return ticket.wait(wait_s)
        except StoreError:
            with self._changed:
                self._waiting.withdraw(ticket)
            raise

    def head(self) -> Head | None:
        """The newest entry this process has put on disk, signed; None before the first."""
        place, made = self._place, self._head
        return made() if made is not None and place is not None and place.seq else None

    def _put(self, kind: str, body: Mapping[str, Any], letters: Sequence[Letter], *, is_urgent: bool) -> Ticket:
        if self._on_letters is None:
            letters = ()
        with self._changed:  # stamped inside, so that times rise as numbers do
            ticket = Ticket(self._stamp.draft(kind, body, letters), is_urgent, self._clock())
            if self._stopping:
                ticket.done(error=StoreError("journal: stopped"))
                return ticket
            self._waiting.put(ticket)
            if is_urgent:  # the thread looks for the others by itself: waking it would cost the flow more than writing
                self._changed.notify()
        return ticket

    def _run(self) -> None:
        self._write([])  # opens the database, so that trouble is told before the first face comes
        while not self._wait():
            self._turn()
        self._turn(is_last=True)
        if self._chain is not None:
            self._chain.close()

    def _wait(self) -> bool:
        """Until something is due; True at the end."""
        with self._changed:
            while not self._stopping:
                self._heart.beat()
                chores_s = min(self._seal_at, self._trim_at) - self._clock()
                left_s = min(self._waiting.due_in_s(), chores_s if self._trouble is None else float("inf"))
                if left_s <= 0:
                    break
                self._changed.wait(min(left_s, BATCH_S))
            return self._stopping

    def _turn(self, *, is_last: bool = False) -> None:
        """One batch, then the chores that are due."""
        while True:
            with self._changed:
                batch = self._waiting.take()
            is_done = self._write(batch, seal=is_last or self._clock() >= self._seal_at)
            if is_last and not is_done:
                self._drop()
            if not is_last or not self._waiting.tickets:
                break
        if is_done and not is_last and self._clock() >= self._trim_at:
            self._trim()

    def _write(self, batch: list[Ticket], *, seal: bool = False) -> bool:
        """False when it failed; then the batch has been given back."""
        was_open = self._chain is not None
        try:
            self._append(batch, seal)
        except Exception as error:
            self._let_go()
            if was_open:  # perhaps the file was replaced: open what lies there now, and try once more
                return self._write(batch, seal=seal)
            self._fail(batch, error)
            return False
        if seal:
            self._seal_at = self._clock() + SEAL_S
        return True

    def _append(self, batch: list[Ticket], seal: bool) -> None:
        if self._chain is None:
            self._chain = self._open_chain()
        chain, signer = self._chain, self._chain.signer
        with self._changed:
            lost, unsent = self._waiting.losses()
        place, numbers = chain.last(), list[int]()
        faults = [self._stamp.draft("fault", fault) for fault in self._faults(chain, place, lost)]
        if unsent.counts:
            faults[0] = replace(faults[0], letters=(unsent.letter(faults[0].time_ms),))
        drafts = [*faults, *(ticket.draft for ticket in batch)]
        if drafts or seal:
            place, numbers = chain.append(drafts, seal=seal)
        self._place, self._head = place, lambda: signer.head(place.seq, place.hash)
        for ticket, seq in zip(batch, numbers[len(faults) :], strict=True):
            ticket.done(seq)
        self._recover(lost, unsent)
        if self._on_letters is not None and any(draft.letters for draft in drafts):
            self._on_letters()

    def _faults(self, chain: Chain, last: Place, lost: int) -> list[dict[str, Any]]:
        """What went wrong since the last batch: nothing could be written, or somebody else's hand was in the file."""
        faults: list[dict[str, Any]] = []
        if self._trouble is not None or lost:
            faults.append({"why": self._trouble or "too many entries", "lost": lost})
        known = self._place
        if known is not None and known != last and known.seq and not chain.holds(known):
            log.error("journal: entry %d was changed or removed from outside; keep the file as evidence", known.seq)
            faults.append({"why": "changed from outside", "seq": known.seq, "hash": known.hash.hex()})
        return faults

    def _trim(self) -> None:
        """Retention, in small steps: the next one right after the next batch, until nothing is too old."""
        self._trim_at = self._clock() + TRIM_S
        try:
            if self._chain is not None and self._chain.trim(self._keep, self._stamp):
                self._place = self._chain.last()
                self._trim_at = self._clock() + 1.0
        except FaceedgeError as error:
            self._let_go()
            log.warning("journal: old entries were not erased: %s", error)

    def _fail(self, batch: list[Ticket], error: Exception) -> None:
        told = error if isinstance(error, FaceedgeError) else StoreError(f"journal: {type(error).__name__}: {error}")
        with self._changed:
            self._waiting.give_back(batch, told)
        if self._trouble is None:
            self._trouble = str(told)
            log.error("journal: nothing can be written, so nothing is granted: %s", told)
            self._on_trouble(self._trouble)

    def _recover(self, lost: int, unsent: Tally) -> None:
        with self._changed:
            self._waiting.written(lost, unsent)
        if self._trouble is not None:
            self._trouble = None
            log.info("journal: written again")
            self._on_trouble(None)

    def _drop(self) -> None:
        """At the end nothing waits any longer."""
        with self._changed:
            while self._waiting.tickets:
                self._waiting.tickets.popleft().done(error=StoreError("journal: stopped"))

    def _let_go(self) -> None:
        if self._chain is not None:
            self._chain.close()
            self._chain = None
