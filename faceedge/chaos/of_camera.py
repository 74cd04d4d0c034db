"""Faults of the camera."""

from __future__ import annotations

from faceedge.chaos.camera import Mode
from faceedge.chaos.faults import Do, Fault, event

HOLDS_S = 3.0


def _turn(mode: Mode) -> Do:
    return lambda house: house.camera.turn(mode)


def _fault(name: str, what: str, mode: Mode) -> Fault:
    return Fault(name, what, _turn(mode), event("camera_fault"), _turn("plays"), holds_s=HOLDS_S)


FAULTS = (
    _fault("camera-cut", "the camera hangs up and refuses", "cut"),
    _fault("camera-half-open", "the camera stays connected and sends nothing", "half-open"),
    _fault("frozen-frame", "the camera repeats one picture of her", "frozen"),
)
