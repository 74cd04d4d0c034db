"""Memory that others take: the daemon in a cgroup of its own with a limit, and ballast beside it."""

from __future__ import annotations

from contextlib import ExitStack

from faceedge.chaos.ballast import Ballast, Cage, Uncaged, cage
from faceedge.chaos.faults import SETTLES_S, Do, Fault
from faceedge.chaos.house import House
from faceedge.chaos.observer import Sign

LIMIT = 1 << 30
"""Bytes of the group: the daemon needs about a quarter of them."""
HOLDS_S = 8.0


class Load:
    """The group and the ballast in it; `close` gives both back, and asks that nothing else runs in it."""

    def __init__(self) -> None:
        with ExitStack() as parts:
            self.room: Cage = parts.enter_context(cage(LIMIT))
            self._parts = parts.pop_all()
        self._ballast: Ballast | None = None

    def fill(self, share: float) -> None:
        """Up to this share of the limit."""
        if self._ballast is None:
            self._ballast = self._parts.enter_context(Ballast(self.room))
        self._ballast.fill(share)

    def drop(self) -> None:
        """The others give their memory back."""
        if self._ballast is not None:
            self._ballast.drop()

    @property
    def has_killed(self) -> bool:
        """Whether the kernel had to end anything."""
        return self.room.killed > 0 or (self._ballast is not None and not self._ballast.is_alive)

    def close(self) -> None:
        """Gives both back."""
        self._parts.close()


def _needs_cage(_house: House) -> str:
    try:
        with cage(LIMIT):
            return ""
    except Uncaged as error:
        return str(error)


def _enter(house: House) -> None:
    house.load = load = Load()
    house.charge.stop()
    house.charge.around = load.room.around
    house.charge.start()
    house.settle(SETTLES_S)


def _fill(share: float) -> Do:
    def strike(house: House) -> None:
        assert isinstance(house.load, Load)
        house.load.fill(share)

    return strike


def _drop(house: House) -> None:
    if isinstance(house.load, Load):
        house.load.drop()


def _leave(house: House) -> None:
    house.charge.stop()
    house.charge.around = ()
    if isinstance(house.load, Load):
        house.load.close()
    house.load = None
    house.charge.start()


def _has_killed(house: House, _began: float) -> str:
    killed = isinstance(house.load, Load) and house.load.has_killed
    return "the kernel had to end a process for want of memory" if killed else ""


def _steps_down(sign: Sign) -> bool:
    return sign.kind == "event" and sign.name == "governor" and bool(sign.body.get("less"))


def _weighs(percent: int) -> Fault:
    share = percent / 100
    what = f"others take memory until {percent} % of the limit are used"
    return Fault(
        f"memory-{percent}", what, _fill(share), _steps_down, _drop, _enter, HOLDS_S, _needs_cage,
        objects=_has_killed, clear=_leave,
    )  # fmt: skip


FAULTS = tuple(_weighs(percent) for percent in (70, 80, 90))
