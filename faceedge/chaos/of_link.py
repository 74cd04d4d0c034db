"""Faults of the way to the door."""

from __future__ import annotations

from faceedge.chaos.faults import Fault, lost_grant
from faceedge.chaos.house import House

HOLDS_S = 3.0


def _kill(house: House) -> None:
    house.broker.kill()


def _start(house: House) -> None:
    house.broker.start()


def _swallow(house: House) -> None:
    house.proxy.swallow()


def _hold(house: House) -> None:
    house.proxy.hold()


def _release(house: House) -> None:
    house.proxy.release()


FAULTS = (
    Fault("broker-killed", "the broker is killed", _kill, lost_grant, _start, holds_s=HOLDS_S),
    Fault("link-half-open", "the link to the broker swallows all", _swallow, lost_grant, _release, holds_s=HOLDS_S),
    # Mended as soon as a grant is lost: it is still on its way then, and arrives late.
    Fault("link-held-up", "the link to the broker holds all back", _hold, lost_grant, _release),
)
