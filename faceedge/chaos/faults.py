"""The faults by name: how each is done, how it is mended, and by what the daemon shows that it has noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faceedge.chaos.house import House
from faceedge.chaos.observer import Sign

SETTLES_S = 30.0
Do = Callable[[House], None]
Notices = Callable[[Sign], bool]


def nothing(_house: House) -> None:
    """Where a fault passes by itself."""


def no_need(_house: House) -> str:
    """Where nothing is needed."""
    return ""


def no_objection(_house: House, _began: float) -> str:
    """Where the bounds say all."""
    return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """what: in a few words. prepare: what must be so before. notices: whether a sign of the daemon says that it has
    noticed. holds_s: how long the fault lasts at least. needs: why it cannot be done here, empty when it can.
    objects: what else was not as it must be since the fault, asked at the end. clear: what was prepared is taken away
    once all has been seen. ends_itself: nothing has to be mended, and the recovery counts from the fault."""

    name: str
    what: str
    strike: Do
    notices: Notices
    mend: Do = nothing
    prepare: Do = nothing
    holds_s: float = 0.0
    needs: Callable[[House], str] = no_need
    objects: Callable[[House, float], str] = no_objection
    clear: Do = nothing
    ends_itself: bool = False


def unsaid(house: House) -> None:
    """Another daemon, which has not said it yet: the log has each kind of fault of a stage once, and a picture that
    stands still again is told only when it has done so for longer (`health/calm.py`)."""
    house.charge.stop()
    house.charge.start()
    house.settle(SETTLES_S)


def event(*names: str) -> Notices:
    """An event of one of these names."""
    return lambda sign: sign.kind == "event" and sign.name in names


def logged(*words: str) -> Notices:
    """A line of the log, at WARNING or above, with one of these words in it."""
    return lambda sign: sign.kind == "log" and any(word in sign.text for word in words)


def lost_grant(sign: Sign) -> bool:
    """A grant that got nowhere, and is told so."""
    return sign.kind == "event" and sign.name == "decision" and sign.body.get("verdict") == "lost"


def ended(sign: Sign) -> bool:
    """The daemon ended."""
    return sign.kind == "exit"


def either(*ways: Notices) -> Notices:
    """One of these."""
    return lambda sign: any(way(sign) for way in ways)
