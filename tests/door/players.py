"""The controllers that attacks are played to: the reference verifier, and that of the MicroPython example."""

from __future__ import annotations

import base64
from types import ModuleType, SimpleNamespace

from faceedge.door import verifier
from tests.door.attack import Outcome, Step, token
from tests.door.conftest import ADDRESS
from tests.fakes.board import TICKS, Board


class Reference:
    """faceedge.door.verifier, with the randomness of the steps."""

    def __init__(self, module: ModuleType = verifier) -> None:
        self._module = module
        self._now = 0.0
        self._octets = b""

    def play(self, step: Step) -> Outcome:
        self._now, self._octets = 1000 + step.ms / 1000, step.octets
        genuine, self._module.fresh_token = self._module.fresh_token, lambda: token(self._octets)  # type: ignore[attr-defined]
        try:
            return self._play(step)
        finally:
            self._module.fresh_token = genuine  # type: ignore[attr-defined]

    def _play(self, step: Step) -> Outcome:
        if step.what == "boot":
            self._verifier = self._module.Verifier(ADDRESS, step.keys, lambda: self._now)
            return Outcome()
        if step.what == "ask":
            return Outcome(sent=self._verifier.challenge())
        ruling = self._verifier.judge(step.octets)
        return Outcome(ruling.grant.pulse_ms if ruling.opens else 0, ruling.why, ruling.answer or b"")


class Example:
    """examples/micropython_door/door.py under CPython; its ticks begin anew in the middle of the steps."""

    def __init__(self, patch: tuple[str, str] = ("", "")) -> None:
        self._octets = b""
        self._board = Board(urandom=lambda _: self._octets, ticks_at_start=TICKS - 200_000, patch=patch)
        self._program: SimpleNamespace = self._board.load()
        self._clock = self._program.Clock()

    def play(self, step: Step) -> Outcome:
        self._board.ms, self._octets = step.ms, step.octets
        if step.what == "boot":
            keys = [self._program.Key(base64.urlsafe_b64encode(key.secret).decode()) for key in step.keys]
            self._verifier = self._program.Verifier(ADDRESS.device, ADDRESS.door, ADDRESS.controller, keys, self._clock)
            return Outcome()
        if step.what == "ask":
            return Outcome(sent=self._verifier.challenge())
        pulse_ms, why, answer = self._verifier.judge(step.octets)
        return Outcome(pulse_ms, why, answer or b"")
