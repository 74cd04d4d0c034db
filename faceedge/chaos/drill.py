"""One fault, from a door that works to a door that works again, and what was seen in between."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from faceedge.chaos import bounds
from faceedge.chaos.bounds import Bound, Outcome
from faceedge.chaos.faults import Fault
from faceedge.chaos.house import TTL_S, House
from faceedge.chaos.observer import Decided, Sign
from faceedge.chaos.reel import BEAT_S
from faceedge.errors import FaceedgeError

SETTLES_S = 40.0
"""A door that does not work within this time before any fault is a row that failed."""
PATIENCE = 2.0
"""So many times its bound is waited for a sign, so that the table can say how late it came."""
WHOLE_S = 10.0
"""From the first proper answer until both have got theirs: who refuses everybody refuses the stranger, too."""
LINGERS_S = 1.0
"""After the recovery: whatever still lay on the way must not open."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. skipped: what is needed and not there. complaints: empty when all was well. log: name of
    the daemon's log file at the time."""

    name: str
    what: str
    bound: Bound
    outcome: Outcome | None = None
    complaints: tuple[str, ...] = ()
    skipped: str = ""
    log: str = ""

    @property
    def has_passed(self) -> bool:
        return not self.complaints


def drill(house: House, fault: Fault, bound: Bound) -> Row:
    """Does it."""
    if needs := fault.needs(house):
        return Row(fault.name, fault.what, bound, skipped=needs)
    house.forget_starts()
    if not house.settle(SETTLES_S):
        why = f"the door did not work before the fault, for {SETTLES_S:.0f} s: {_last_words(house)}"
        return Row(fault.name, fault.what, bound, complaints=(why,), log=house.charge.log.name)
    outcome, objection, log = _struck(house, fault, bound)
    complaints = [*bounds.broken(bound, outcome), *([objection] if objection else [])]
    return Row(fault.name, fault.what, bound, outcome, tuple(complaints), log=log)


def _struck(house: House, fault: Fault, bound: Bound) -> tuple[Outcome, str, str]:
    """What was seen, what there is to object to, and the name of the log."""
    try:
        return _observed(house, fault, bound)
    finally:
        fault.clear(house)


def _observed(house: House, fault: Fault, bound: Bound) -> tuple[Outcome, str, str]:
    try:
        fault.prepare(house)
        began = time.monotonic()
        log = house.charge.log.name
        house.observer.note("fault", fault.name, fault.what)
        fault.strike(house)
        sign = _noticed(house, fault, bound, began)
        house.observer.wait(lambda: False, began + fault.holds_s)
        over = time.monotonic()
    finally:
        with suppress(FaceedgeError):  # a daemon that has begun anew knows of no order
            fault.mend(house)
    mended = began if fault.ends_itself else time.monotonic()
    house.observer.note("fault", fault.name, "is over")
    # An answer to what was seen before the fault took hold is no recovery.
    since = max(mended, sign.at) if sign is not None else mended
    answer = _answer(house, bound, since)
    ended = answer.told if answer is not None else time.monotonic()
    is_whole = answer is not None and house.observer.wait(lambda: house.is_answering(since), ended + WHOLE_S)
    house.observer.wait(lambda: False, ended + LINGERS_S)
    seen = _seen(house, began, ended, over if bound.shut else None)
    objection = fault.objects(house, began)
    if answer is not None and not is_whole:
        objection = objection or f"after it the door did not answer both of them within {WHOLE_S:g} s"
    detected_s = sign.at - began if sign is not None else None
    recovered_s = answer.told - mended if answer is not None else None
    return Outcome(detected_s, recovered_s, *seen, said=sign.text if sign is not None else ""), objection, log


def _noticed(house: House, fault: Fault, bound: Bound, began: float) -> Sign | None:
    """The first sign of the daemon that it has noticed."""
    most_s = fault.holds_s if bound.detected_s is None else PATIENCE * bound.detected_s
    house.observer.wait(lambda: house.observer.first(fault.notices, began), began + most_s)
    return house.observer.first(fault.notices, began)


def _answer(house: House, bound: Bound, since: float) -> Decided | None:
    """The first proper answer to somebody who has come since; where the door had to be shut, it must open."""

    def proper() -> Decided | None:
        now = time.monotonic()
        shown = house.camera.appearances(since - BEAT_S, now + 2 * BEAT_S)
        found = [
            one for one in house.observer.decisions(since, now)
            for person in shown
            if (person.known or not bound.shut) and bounds.is_proper(person, one, house.known)
        ]  # fmt: skip
        return found[0] if found else None

    house.observer.wait(proper, since + PATIENCE * bound.recovered_s)
    return proper()


def _seen(house: House, began: float, ended: float, shut_until: float | None) -> tuple[int, int, int, int]:
    """Decisions lost; opens too late, wrong, in all."""
    now = time.monotonic()
    decided = house.observer.decisions(began - bounds.REMEMBERED_S, now)
    opens = house.observer.opens(began, now)
    opens_before = house.observer.opens(began - bounds.REMEMBERED_S, began)
    shown = house.camera.appearances(began - 2 * BEAT_S - TTL_S, now + 2 * BEAT_S)
    shut = None if shut_until is None else (began, shut_until)
    wrong = bounds.wrong(opens, shown, house.known, TTL_S, shut)
    late = [one for one in bounds.late([*opens_before, *opens], decided, TTL_S) if one.at >= began]
    lost = bounds.lost(house.camera.appearances(began, ended), decided, house.known)
    return lost, len(late), len(wrong), len(opens)


def _last_words(house: House) -> str:
    loud = house.observer.first(lambda sign: sign.kind in ("log", "exit"), time.monotonic() - SETTLES_S)
    return loud.text if loud is not None else "it says nothing"
