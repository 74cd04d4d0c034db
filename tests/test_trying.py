"""A trial from its begin to its end: what it comes to, and that the stages are as before it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from faceedge import trying
from faceedge.bundle import Bundle
from faceedge.trial import Rules
from faceedge.types import Match
from tests import test_canary as canary
from tests.test_shadow import ANNA, shot

Trying = Callable[[trying.Stage, Bundle, Bundle, trying.Told], tuple[str, Mapping[str, Any]]]


def shadow(stage: trying.Stage, serving: Bundle, second: Bundle, told: trying.Told) -> tuple[str, Mapping[str, Any]]:
    return trying.shadowed(stage, serving, second, 60, told)


def say(stage: trying.Stage, serving: Bundle, second: Bundle, told: trying.Told) -> tuple[str, Mapping[str, Any]]:
    return trying.shared(stage, serving, second, 1.0, 60, told)


class House:
    """Stages without threads. They begin with a second opinion of another kind, which must be back at the end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, says: Match) -> None:
        monkeypatch.setattr(trying, "LOOK_S", 0.005)
        self.asked = 0
        self.dual = SimpleNamespace(took=lambda _seconds, _shots: None, heard=self.hears)
        self.detect = SimpleNamespace(shows=False)
        self.recognise = SimpleNamespace(second=self.dual)
        self.ending = threading.Event()
        parts = cast(Any, [self.detect, self.recognise, Rules(), lambda: True, lambda: 0.0, self.ending])
        self.stage = trying.Stage(*parts)
        self.serving = canary.bundle(canary.SERVING)
        self.second = seeing(canary.bundle(canary.SECOND), says)
        self.told: list[float] = []
        self.tracks = 0

    def shows_faces(self, share: float, _what: str) -> None:
        """While the trial waits: a face more, of three shots, through the stage's second as the stage does it."""
        self.told.append(share)
        self.tracks += 1
        for _ in range(3):
            assert self.detect.shows
            self.recognise.second.took(0.01, 1)
            self.recognise.second.heard(shot(self.tracks), canary.TEMPLATE, ANNA)

    def hears(self, _shot: object, _template: object, match: Match) -> Match:
        self.asked += 1
        return match

    @property
    def is_as_before(self) -> bool:
        return self.recognise.second is self.dual and not self.detect.shows


def seeing(bundle: Bundle, says: Match) -> Bundle:
    """Networks that recognise everybody as this."""
    vision = cast(Any, bundle.vision)
    vision.assess = lambda image, faces, crops: [shot(1).assessment]
    vision.settled = lambda before, templates: before
    vision.recognizer = SimpleNamespace(embed=lambda crops: [canary.TEMPLATE])
    people = SimpleNamespace(knows=lambda person: True, identifier=SimpleNamespace(identify=lambda template: says))
    return replace(bundle, roster=cast(Any, people))


@pytest.mark.parametrize("trial", [shadow, say])
def test_a_trial_ends_as_soon_as_something_speaks_against_the_networks(
    trial: Trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = House(monkeypatch, canary.OTHER)
    why, report = trial(at.stage, at.serving, at.second, at.shows_faces)
    assert why == report["against"] == "a face would be let in as somebody else than now"
    assert at.is_as_before
    assert at.asked == 3 * at.tracks > 0, "who has a say already keeps it meanwhile"


def test_a_trial_in_which_nobody_came_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    at = House(monkeypatch, canary.ALSO_SURE)
    why, report = trying.shadowed(at.stage, at.serving, at.second, 0.0, at.shows_faces)
    assert why.startswith("too little was seen: 0 of 3")
    assert report["shots"]["all"] == 0
    assert at.is_as_before


def test_networks_that_agree_have_passed_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    at = House(monkeypatch, canary.ALSO_SURE)
    monkeypatch.setattr("faceedge.trying.time", SimpleNamespace(monotonic=lambda: float(at.tracks)))
    why, report = trying.shared(at.stage, at.serving, at.second, 1.0, 8.0, at.shows_faces)
    assert (why, report["tracks"]["both"], report["agreement"]) == ("", 8, 1)
    assert at.told[-1] == pytest.approx(7 / 8)


@pytest.mark.parametrize("trial", [shadow, say])
def test_the_end_of_the_daemon_ends_a_trial(trial: Trying, monkeypatch: pytest.MonkeyPatch) -> None:
    at = House(monkeypatch, canary.ALSO_SURE)
    at.ending.set()
    why, _ = trial(at.stage, at.serving, at.second, at.shows_faces)
    assert (why, at.is_as_before) == (trying.ENDED, True)


def test_a_trial_whose_telling_fails_leaves_the_stages_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    at = House(monkeypatch, canary.ALSO_SURE)

    def fails(_share: float, _what: str) -> None:
        raise OSError("no space left")

    threads = threading.active_count()
    with pytest.raises(OSError, match="no space"):
        trying.shadowed(at.stage, at.serving, at.second, 60, fails)
    assert at.is_as_before
    assert threading.active_count() == threads
