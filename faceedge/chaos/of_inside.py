"""Faults inside the daemon: stages and engines that fail, a clock that jumps, a process that is killed."""

from __future__ import annotations

import signal

from faceedge.chaos.faults import Do, Fault, ended, logged, unsaid
from faceedge.chaos.house import House
from faceedge.chaos.observer import Sign
from faceedge.chaos.orders import Fails, Order

YEAR_S = 365 * 86_400.0
JUMP_HOLDS_S = 4.0
ENGINE_HOLDS_S = 2.0


def _order(fails: Fails, where: str = "", times: int = 0, shift_s: float = 0.0) -> Do:
    return lambda house: house.charge.order(Order(fails, where, times, shift_s))


def _raises(stage: str) -> Fault:
    what = f"the stage {stage} raises once"
    notices = logged(f"ordered: {stage} raises")
    return Fault(f"{stage}-raises", what, _order("raise", stage, 1), notices, prepare=unsaid, ends_itself=True)


def _hangs(stage: str) -> Fault:
    what = f"the stage {stage} never answers again"
    return Fault(f"{stage}-hangs", what, _order("hang", stage), ended, ends_itself=True)


def _expired(sign: Sign) -> bool:
    return sign.kind == "event" and sign.body.get("reason") == "expired"


def _kill(house: House) -> None:
    house.charge.kill()


def _stop(house: House) -> None:
    house.charge.kill(signal.SIGSTOP)


_MEND = _order("end")
FAULTS = (
    _raises("detect"),
    _raises("recognise"),
    _hangs("detect"),
    _hangs("recognise"),
    Fault(
        "engine-error", "the detector's engine fails at every batch", _order("engine", "detector"),
        logged("the detector fails"), _MEND, unsaid, ENGINE_HOLDS_S,
    ),
    Fault(
        "out-of-memory", "the recogniser's engine finds no memory", _order("memory", "recognizer"),
        logged("no memory is left"), _MEND, unsaid, ENGINE_HOLDS_S,
    ),
    Fault(
        "clock-ahead", "the clock on the wall jumps a year ahead", _order("wall", shift_s=YEAR_S),
        _expired, _MEND, holds_s=JUMP_HOLDS_S,
    ),
    Fault(
        "clock-behind", "the clock on the wall jumps a year back", _order("wall", shift_s=-YEAR_S),
        logged("the clock cannot be trusted"), _MEND, holds_s=JUMP_HOLDS_S,
    ),
    Fault("stopped", "the whole process stands still; only its watchdog tells", _stop, ended, ends_itself=True),
    Fault("killed", "the daemon is killed (kill -9)", _kill, ended, ends_itself=True),
)  # fmt: skip
