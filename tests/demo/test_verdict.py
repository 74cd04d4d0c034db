"""The demo's verdict: it must fail whenever the door did wrong."""

from __future__ import annotations

import json

import pytest

from faceedge.demo import script, told
from faceedge.demo.script import Scene
from faceedge.demo.verdict import Verdict, judge
from tests.demo.made_up import KNOWN, decision, record, track

STORY = script.timeline()
ACTS = {scene.name: scene for scene in STORY.scenes if scene.subject != "nobody"}
FIRST, CAT, ADMIRAL, DARK, BLURRED = ACTS.values()
EMPTY = STORY.scenes[0]
GOOD = (
    track(FIRST.start + 30), decision(FIRST.start + 50), track(ADMIRAL.start + 20),
    decision(ADMIRAL.start + 30, "deny"), track(DARK.start + 20), decision(DARK.start + 100),
    track(BLURRED.start + 9), decision(BLURRED.start + 30, "deny", reason="low_quality"),
)  # fmt: skip


def judged(*lines: str) -> Verdict:
    return judge(STORY, record(*lines), KNOWN)


def happened(verdict: Verdict, scene: Scene) -> str:
    return next(result.happened for result in verdict.scenes if result.scene is scene)


def test_it_passes_when_every_scene_went_as_told() -> None:
    verdict = judged(*GOOD)
    assert verdict.complaints == ()
    assert verdict.has_passed
    assert verdict.latency_ms == 84.2
    assert happened(verdict, FIRST) == "opened"
    assert happened(verdict, CAT) == "no track"
    assert happened(verdict, ADMIRAL) == "refused: unknown"
    assert happened(verdict, BLURRED) == "refused: low quality"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (decision(ADMIRAL.start + 40, person="somebody"), "somebody who may not pass"),
        (decision(ADMIRAL.start + 40), "must stay shut"),
        (decision(FIRST.start + 60, person=None), "somebody who may not pass"),
        (decision(BLURRED.start + 40), "must stay shut"),
        (decision(EMPTY.start + 3), "must stay shut"),
        (decision(STORY.frames), "which no scene holds"),
        (track(CAT.start + 20, 9), "1 track where nobody was"),
        (track(EMPTY.start, 9), "1 track where nobody was"),
    ],
)
def test_one_wrong_event_is_a_complaint_that_names_it(line: str, complaint: str) -> None:
    verdict = judged(*GOOD, line)
    assert not verdict.has_passed
    assert len(verdict.complaints) == 1
    assert complaint in verdict.complaints[0]


@pytest.mark.parametrize("scene", [FIRST, DARK], ids=lambda scene: scene.name)
def test_it_fails_when_the_astronaut_is_not_let_in(scene: Scene) -> None:
    lines = [line for line in GOOD if not scene.start <= json.loads(line)["seq"] < scene.end]
    assert judged(*lines).complaints == (f"{scene.name}: the door stayed shut and must open",)


def test_a_grant_that_was_lost_has_opened_nothing() -> None:
    lost = decision(FIRST.start + 50, verdict="lost", why="no verdict in time")
    verdict = judged(GOOD[0], lost, *GOOD[2:])
    assert verdict.complaints == (f"{FIRST.name}: the door stayed shut and must open",)
    assert happened(verdict, FIRST) == "grant lost: no verdict in time"


def test_a_controller_that_opened_unasked_is_a_complaint() -> None:
    made = record(*GOOD)
    made.take_from_door({"event": "closed"})
    assert judge(STORY, made, KNOWN).has_passed
    made.take_from_door({"event": "opened"})
    assert judge(STORY, made, KNOWN).complaints == ("the controller opened 3 times, the daemon knows of 2",)


def test_a_run_in_which_nothing_was_told_fails() -> None:
    verdict = judged()
    assert not verdict.has_passed
    assert verdict.latency_ms is None


def test_lines_that_are_no_events_are_passed_over() -> None:
    assert told.parse("") is None
    assert told.parse("not json") is None
    assert told.parse("[1]") is None
    assert told.parse('{"something": "else"}') is None


def test_counters_come_with_the_end() -> None:
    made = record('{"event": "ready"}', '{"event": "stopped", "counters": {"frames_dropped": 0}}')
    assert made.counters == {"frames_dropped": 0}
    assert made.rulings == []
