"""A trial of networks beside those that serve, from its begin to its end: they look on, then they have a say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from faceedge.bundle import Bundle
from faceedge.canary import Canary
from faceedge.hearing import Hearing
from faceedge.shadow import Shadow
from faceedge.stages.detect import DetectStage
from faceedge.stages.recognise import RecogniseStage, Second
from faceedge.trial import Rules, Trial
from faceedge.types import Match, Shot, Template
from faceedge.witness import Witness

LOOK_S = 0.25
ENDED = "the daemon ended before the trial did"
Told = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class InTurn:
    """Two that hear of every shot: `then` of what `first` makes of it."""

    first: Second
    then: Second

    def took(self, seconds: float, shots: int) -> None:
        """Told to both."""
        self.first.took(seconds, shots)
        self.then.took(seconds, shots)

    def heard(self, shot: Shot, template: Template, match: Match) -> Match:
        """What is left after both."""
        return self.then.heard(shot, template, self.first.heard(shot, template, match))


@dataclass(frozen=True, slots=True)
class Stage:
    """What a trial takes place on. may: whether there is anything to spare for a shadow just now. detects_s: what the
    detector that serves takes for a picture. ending: ends it."""

    detect: DetectStage
    recognise: RecogniseStage
    rules: Rules
    may: Callable[[], bool]
    detects_s: Callable[[], float]
    ending: threading.Event

    @contextmanager
    def hears(self, second: Second) -> Iterator[None]:
        """In the block the stages let it have its say, after whoever has one already."""
        before = self.detect.shows, self.recognise.second
        self.detect.shows = True
        self.recognise.second = second if before[1] is None else InTurn(before[1], second)
        try:
            yield
        finally:
            self.detect.shows, self.recognise.second = before


def shadowed(stage: Stage, serving: Bundle, trial: Bundle, seconds: float, told: Told) -> tuple[str, Mapping[str, Any]]:
    """Why they must not serve, or nothing; and the report."""
    shadow = Shadow(hearing := _hearing(stage, serving, trial), stage.may)
    shadow.start()
    try:
        with stage.hears(shadow):
            why = _watched(stage, hearing, seconds, told, "it looks on")
    finally:
        shadow.stop()
    return why or hearing.verdict(is_over=True), shadow.report()


def shared(
    stage: Stage, serving: Bundle, trial: Bundle, share: float, seconds: float, told: Told
) -> tuple[str, Mapping[str, Any]]:
    """The same while both decide about a share of the tracks."""
    hearing = _hearing(stage, serving, trial)
    with stage.hears(Canary(serving, hearing, share)):
        why = _watched(stage, hearing, seconds, told, f"it has a say about {share:.0%} of the tracks")
    return why or hearing.verdict(is_over=True), hearing.report()


def _hearing(stage: Stage, serving: Bundle, trial: Bundle) -> Hearing:
    return Hearing(serving, Witness(trial, serving), Trial(stage.rules, time.monotonic), stage.detects_s)


def _watched(stage: Stage, hearing: Hearing, seconds: float, told: Told, what: str) -> str:
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if stage.ending.wait(LOOK_S):
            return ENDED
        if why := hearing.verdict():
            return why
        told(min(1.0, passed / seconds), what)
    return ""
