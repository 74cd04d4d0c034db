"""What one fault must show before its row may say that all was well; a house without a daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from faceedge.chaos import drill as drills
from faceedge.chaos.bounds import Bound
from faceedge.chaos.drill import Row, drill
from faceedge.chaos.faults import Fault, ended
from faceedge.chaos.house import House
from faceedge.chaos.observer import Decided, Observer, Opened
from faceedge.chaos.reel import Appearance
from faceedge.chaos.run import FAULTS

HER = "her"
BOUND = Bound(1.0, 1.0, 9)


class Hall:
    """Both stand there all the time. Whoever notes an answer is the daemon."""

    is_answering = House.is_answering

    def __init__(self) -> None:
        self.observer = Observer()
        self.known = HER
        self.charge = SimpleNamespace(log=Path("daemon-1.log"))
        self.camera = self

    def appearances(self, start: float, end: float) -> list[Appearance]:
        return [Appearance(start, end, known=True), Appearance(start, end, known=False)]

    def forget_starts(self) -> None: ...

    def settle(self, _within_s: float) -> bool:
        return True

    def ends(self) -> None:
        self.observer.note("exit", "ended", "exit code 75")

    def opens(self, at: float | None = None) -> None:
        now = time.monotonic() if at is None else at
        self.observer.decided.append(Decided(now, now, "grant", "match", HER, "opened", ""))
        self.observer.opened.append(Opened(now, HER))

    def refuses(self) -> None:
        now = time.monotonic()
        self.observer.decided.append(Decided(now, now, "deny", "unknown", None, None, ""))


def row_of(strike: Callable[[Hall], None], monkeypatch: pytest.MonkeyPatch) -> Row:
    monkeypatch.setattr(drills, "LINGERS_S", 0.0)
    monkeypatch.setattr(drills, "WHOLE_S", 0.2)
    hall = Hall()
    fault = Fault("killed", "killed", lambda _: strike(hall), ended, ends_itself=True)
    return drill(cast(Any, hall), fault, BOUND)


def test_a_door_that_answers_both_after_it_has_noticed_has_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    def strike(hall: Hall) -> None:
        hall.ends()
        hall.opens()
        hall.refuses()

    row = row_of(strike, monkeypatch)
    assert row.complaints == ()
    assert row.outcome is not None
    assert row.outcome.opens == 1


def test_a_door_that_refuses_everybody_afterwards_has_not_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    def strike(hall: Hall) -> None:
        hall.ends()
        hall.refuses()

    assert row_of(strike, monkeypatch).complaints == ("after it the door did not answer both of them within 0.2 s",)


def test_answers_from_before_the_daemon_has_noticed_are_no_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    def strike(hall: Hall) -> None:
        hall.opens()
        hall.refuses()
        time.sleep(0.01)
        hall.ends()

    assert "never recovered" in row_of(strike, monkeypatch).complaints


def test_a_daemon_that_says_nothing_has_not_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def strike(hall: Hall) -> None:
        hall.opens()
        hall.refuses()

    assert row_of(strike, monkeypatch).complaints == ("never detected",)


@pytest.mark.parametrize("name", ["frozen-frame", "detect-raises", "recognise-raises", "engine-error", "out-of-memory"])
def test_what_a_daemon_says_once_is_asked_of_one_that_has_not_said_it(name: str) -> None:
    """Else the second time of a long run would never be detected."""
    done: list[str] = []
    charge = SimpleNamespace(stop=lambda: done.append("stop"), start=lambda: done.append("start"))
    house = SimpleNamespace(charge=charge, settle=lambda _within_s: done.append("settle"))
    next(fault for fault in FAULTS if fault.name == name).prepare(cast(Any, house))
    assert done == ["stop", "start", "settle"]
