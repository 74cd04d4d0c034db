"""Look-alikes at the command line: told at enrolment, shown with people, flagged and cleared by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from faceedge.cli import why
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Stamp
from faceedge.journal.reading import reading
from tests.cli.conftest import Run
from tests.fakes.vision import Sitter, save


@pytest.fixture
def twins(run: Run, tmp_path: Path) -> tuple[str, str]:
    """Ada and Eve, enrolled from the same photo; their ids."""
    photo = save(tmp_path / "ada.png", Sitter(1))
    ada = run("enroll", "Ada", photo, "--json").document["person"]["id"]
    eve = run("enroll", "Eve", photo, "--allow-duplicate", "--json").document["person"]["id"]
    return ada, eve


def journalled(tmp_path: Path, kind: str) -> list[dict[str, object]]:
    with reading(tmp_path / "state" / "journal.db") as connection:
        found = connection.execute("SELECT body FROM entries WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [json.loads(body) for (body,) in found]


def test_enrolment_says_who_is_flagged(run: Run, tmp_path: Path) -> None:
    photo = save(tmp_path / "ada.png", Sitter(1))
    run("enroll", "Ada", photo)
    told = run("enroll", "Eve", photo, "--allow-duplicate")
    assert told.out.splitlines()[-1].endswith("; flagged as look-alikes: Ada")


def test_people_are_shown_with_whom_they_look_like(run: Run, twins: tuple[str, str]) -> None:
    ada, eve = twins
    assert [line.endswith("looks like Eve") for line in run("people", "list").out.splitlines()] == [True, False]
    (shown,) = run("people", "show", "Ada", "--json").document["look_alikes"]
    assert shown == {
        "id": eve, "name": "Eve", "similarity": pytest.approx(1.0), "by": "enrolment", "cleared": "",
    }  # fmt: skip
    assert "looks like Eve (1.00), flagged by enrolment" in run("people", "show", "Ada").out
    (listed, _) = run("people", "list", "--json").document["people"]
    assert (listed["id"], listed["look_alikes"]) == (ada, [shown])


def test_a_flag_is_cleared_with_a_reason_that_the_journal_keeps(
    run: Run, twins: tuple[str, str], tmp_path: Path
) -> None:
    ada, eve = twins
    cleared = run("people", "set", "Ada", "--no-look-alike", "Eve", "--reason", "works nights only")
    assert (cleared.code, cleared.out) == (0, "Ada looks like nobody else\n")
    assert journalled(tmp_path, "look_alike") == [
        {"person": ada, "other": eve, "flagged": False, "by": "hand", "why": "works nights only"}
    ]
    assert "not to be mistaken for Ada (1.00): works nights only" in run("people", "show", "Eve").out


def test_a_flag_is_set_by_hand_for_siblings_that_no_score_tells(run: Run, tmp_path: Path) -> None:
    for number, name in ((1, "Ada"), (2, "Bob")):
        run("enroll", name, save(tmp_path / f"{number}.png", Sitter(number)))
    flagged = run("people", "set", "Ada", "--look-alike", "Bob", "--json").document
    assert [(one["name"], one["similarity"], one["by"]) for one in flagged["look_alikes"]] == [("Bob", None, "hand")]
    (entry,) = journalled(tmp_path, "look_alike")
    assert (entry["flagged"], entry["by"]) == (True, "hand")


def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(run: Run, twins: tuple[str, str]) -> None:
    for words, fault in (
        (("--no-look-alike", "Eve"), "belong together"),
        (("--reason", "no"), "belong together"),
        (("--look-alike", "Eve"), "already"),
        (("--look-alike", "Nobody"), "nobody called"),
        (("--rename", "Adele", "--look-alike", "Adele"), "their own"),
    ):
        answer = run("people", "set", "Ada", *words)
        assert (answer.code, answer.out) == (2, "")
        assert fault in answer.err
        assert "\n" not in answer.err
    assert [one["name"] for one in run("people", "list", "--json").document["people"]] == ["Ada", "Eve"]


def test_why_names_those_whom_the_refused_person_looks_like(
    run: Run, twins: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {
        "id": "0123456789abcdef", "camera": "entry", "outcome": "review", "reason": "look_alike", "person": twins[1],
        "votes": 3, "shots": 3, "similarity": 0.9, "margin": 0.3, "quality": 0.9,
    }  # fmt: skip
    with Chain.open(tmp_path / "state") as chain:
        chain.append([Stamp().draft("decision", said)])
    assert why.run(argparse.Namespace(config=None, json=True, last=True, id=None)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["look_alikes"] == ["Ada"]
    assert "Eve looks like Ada." in told["text"]
