"""Faults of the camera."""

from __future__ import annotations

from faceedge.chaos.camera import Mode
from faceedge.chaos.faults import Do, Fault, nothing, unsaid
from faceedge.chaos.observer import Sign

HOLDS_S = 3.0


def _turn(mode: Mode) -> Do:
    return lambda house: house.camera.turn(mode)


def _fault(name: str, what: str, mode: Mode, *about: str, prepare: Do = nothing) -> Fault:
    """about: what the daemon must say that it is; another trouble with the camera is no sign of this one."""

    def notices(sign: Sign) -> bool:
        return sign.kind == "event" and sign.name == "camera_fault" and sign.body.get("about") in about

    return Fault(name, what, _turn(mode), notices, _turn("plays"), prepare, HOLDS_S)


FAULTS = (
    _fault("camera-cut", "the camera hangs up and refuses", "cut", "away"),
    _fault("camera-half-open", "the camera stays connected and sends nothing", "half-open", "away"),
    _fault("frozen-frame", "the camera repeats one picture of her", "frozen", "frozen", "replay", prepare=unsaid),
)
