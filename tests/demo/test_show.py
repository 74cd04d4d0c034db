"""What the demo prints."""

from __future__ import annotations

import io
import json

from rich.console import Console

from faceedge.demo import script, show
from faceedge.demo.told import Ruling
from faceedge.demo.verdict import Verdict, judge
from tests.demo.made_up import KNOWN, decision, record

STORY = script.timeline()
FIRST, CAT, ADMIRAL, *_ = (scene for scene in STORY.scenes if scene.subject != "nobody")
NAMES = {KNOWN: "Eileen Collins"}


def ruling(outcome: str = "grant", **changes: object) -> Ruling:
    return record(decision(FIRST.start + 50, outcome, **changes)).rulings[0]


def line(made: Ruling) -> str:
    return show.decision_line(made, NAMES).plain


def printed(verdict: Verdict, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(show.scene_table(verdict))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_decision_is_one_line_with_everything_in_it() -> None:
    words = line(ruling())
    assert "\n" not in words
    for part in ("opened", "Eileen Collins", "match", "similarity 0.71", "quality 0.73", "84 ms"):
        assert part in words


def test_a_stranger_is_nobody_by_name() -> None:
    words = line(ruling("deny", person=KNOWN))
    assert "refused" in words
    assert "Collins" not in words


def test_a_doubtful_name_has_a_question_mark() -> None:
    assert "Eileen Collins?" in line(ruling("review", person=KNOWN, reason="grey_zone"))


def test_a_lost_grant_says_why_and_not_that_it_opened() -> None:
    words = line(ruling(verdict="lost", why="no verdict in time"))
    assert "granted" in words
    assert "lost: no verdict in time" in words
    assert "opened" not in words


def test_a_track_that_ended_undecided_has_no_latency() -> None:
    assert " ms" not in line(ruling("deny", reason="low_quality"))


def test_the_table_fits_80_columns_and_marks_what_went_wrong() -> None:
    made = record(decision(FIRST.start + 50), decision(ADMIRAL.start + 9, person="someone"))
    text = printed(judge(STORY, made, KNOWN))
    assert max(map(len, text.splitlines())) <= 80
    assert FIRST.name in text
    assert text.count("✓") == 3
    assert text.count("✗") == 2


def test_the_last_line_says_what_failed() -> None:
    assert "Astronaut walks up: the door stayed shut" in show.last_line(judge(STORY, record(), KNOWN)).plain


def test_the_document_is_json_with_the_verdict_and_every_decision() -> None:
    made = record(decision(FIRST.start + 50))
    verdict = judge(STORY, made, KNOWN)
    document = json.loads(json.dumps(show.document(verdict, made, NAMES, None), allow_nan=False))
    assert document["passed"] is False
    assert document["decisions"][0]["name"] == "Eileen Collins"
    assert [scene["happened"] for scene in document["scenes"][:2]] == ["no track", "opened"]
    assert json.loads(json.dumps(show.document(None, made, NAMES, None)))["passed"] is None
