"""What an audit proposes to remove is removed after a yes, one by one, and never alone."""

from __future__ import annotations

import argparse
import io
import json
import os
import pty
import select
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faceedge.cli import gallery_fix
from faceedge.errors import BadInput
from faceedge.gallery.base import Likeness
from faceedge.gallery.store import Gallery
from faceedge.jobs.audit import rates
from faceedge.jobs.audit.findings import Audit
from faceedge.jobs.audit.mend import proposals
from faceedge.jobs.roster import Roster
from faceedge.journal.reading import reading
from faceedge.rules.book import Standing
from tests.jobs.made_up_audit import SPACE, add, face, fill, looked_at

ARGS = argparse.Namespace(config=None, json=True, fix=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_POINTS", 5)


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    monkeypatch.setenv("FACEEDGE_STATE", str(tmp_path))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)
    with Gallery.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def ids(gallery: Gallery) -> dict[str, str]:
    """p1 has a picture of p2, and p4 is called p5 too, from fewer pictures."""
    found = fill(gallery)
    found["wrong"] = add(gallery, found["p1"], face(2, 9), "holiday.jpg")
    found["p5"] = gallery.add_person("p5").id
    for picture in (7, 8):
        add(gallery, found["p5"], face(4, picture))
    return found


class Operator:
    """Answers at a terminal and counts how often the gallery was audited anew. meanwhile: before the first answer."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, gallery: Gallery, answers: str, meanwhile: Callable[[], object] = int
    ) -> None:
        self.screen, self.audits, self._gallery = Terminal(), 0, gallery
        self._meanwhile = meanwhile
        monkeypatch.setattr(sys, "stdin", Terminal(answers))
        monkeypatch.setattr(sys, "stderr", self.screen)

    def mends(self) -> int:
        seen, audit = self._gallery.changes(), looked_at(self._gallery)
        self._meanwhile()
        return gallery_fix.fix(ARGS, self._gallery, audit, seen, self._again)

    def _again(self) -> Audit:
        self.audits += 1
        return looked_at(self._gallery)


def journalled(state: Path, kind: str) -> list[dict[str, Any]]:
    with reading(state / "journal.db") as connection:
        found = connection.execute("SELECT body FROM entries WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [json.loads(body) for (body,) in found]


def test_a_person_enrolled_twice_is_proposed_before_a_wrong_picture_and_right_ones_are_not(
    gallery: Gallery, ids: dict[str, str]
) -> None:
    assert [(one.person, one.key) for one in proposals(looked_at(gallery)) if one.suspect] == [
        (ids["p1"], ids["wrong"])
    ]
    (twice,) = (one for one in proposals(looked_at(gallery)) if one.twice)
    assert twice.person == ids["p5"]
    assert proposals(looked_at(gallery))[0] == twice


def test_what_gets_a_yes_goes_with_an_entry_in_the_journal_and_an_audit_after_each(
    gallery: Gallery, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    operator = Operator(monkeypatch, gallery, "y\ny\n")
    assert operator.mends() == 0
    assert operator.audits == 2
    assert sorted(person.name for person in gallery.people()) == ["p1", "p2", "p3", "p4"]
    assert ids["wrong"] not in [entry.id for entry in gallery.entries(ids["p1"])]
    person, template = journalled(tmp_path, "removal")
    assert (person["person"], person["clean"]) == (ids["p5"], True)
    assert (template["template"], template["by"]) == (ids["wrong"], "audit")
    assert (tmp_path / "receipts" / f"{ids['p5']}.json").exists()
    told = json.loads(capsys.readouterr().out)
    assert (len(told["removed"]), told["left"]) == (2, 0)


def test_the_question_names_people_and_numbers(
    gallery: Gallery, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(monkeypatch, gallery, "n\nn\n")
    operator.mends()
    shown = operator.screen.getvalue()
    for words in ("p5 (2 templates) seems to be p4 (3 templates), enrolled twice", "holiday.jpg", "with p2 0."):
        assert words in shown
    assert shown.count("[y/N/q]") == 2


@pytest.mark.parametrize(
    ("answers", "asked"), [("n\nn\n", 2), ("q\n", 1), ("", 1), ("yes please\nno\n", 2), ("\n\n", 2)]
)
def test_without_a_clear_yes_nothing_goes_and_the_exit_code_says_that_something_is_left(
    gallery: Gallery, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, answers: str, asked: int
) -> None:
    before = gallery.changes()
    operator = Operator(monkeypatch, gallery, answers)
    assert operator.mends() == gallery_fix.LEFT
    assert operator.screen.getvalue().count("[y/N/q]") == asked
    assert (gallery.changes(), operator.audits) == (before, 0)


def test_a_blocked_person_is_left_to_hands_and_the_block_with_them(
    gallery: Gallery, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.access.set_standing(ids["p5"], Standing(blocked=True))
    operator = Operator(monkeypatch, gallery, "y\ny\n")
    assert operator.mends() == gallery_fix.LEFT
    assert gallery.book().people[ids["p5"]].blocked
    assert "p5 is blocked, and stays" in operator.screen.getvalue()


def test_what_was_typed_before_the_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(keyboard, b"y\n")
        assert select.select([stdin], [], [], 1)[0]
        gallery_fix.forget_typed()
        assert not select.select([stdin], [], [], 0)[0]
    os.close(keyboard)


def test_where_nobody_can_be_asked_it_refuses_in_one_line(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(BadInput, match="nobody can be asked") as refusal:
        gallery_fix.check(ARGS)
    assert "\n" not in str(refusal.value)
    gallery_fix.check(argparse.Namespace(fix=False))


def test_a_wrong_picture_takes_along_the_likeness_that_rested_on_it(
    gallery: Gallery, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gallery.alike.note(ids["p1"], ids["p2"], Likeness("enrolment", 0.9, SPACE))
    Operator(monkeypatch, gallery, "y\ny\n").mends()
    assert gallery.alike.pairs() == []
    assert journalled(tmp_path, "removal")[1]["unlike"] == [ids["p2"]]


def test_a_yes_to_what_was_so_before_the_gallery_changed_removes_nothing(
    gallery: Gallery, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While somebody is asked whether p5 is p4 enrolled twice, p4 is removed by somebody else."""

    def another() -> None:
        with Gallery.open(tmp_path) as there:
            (p4,) = (person for person in there.people() if person.name == "p4")
            there.remove(p4)

    operator = Operator(monkeypatch, gallery, "y\ny\n", another)
    assert operator.mends() == 0
    assert "has changed since it was looked at" in operator.screen.getvalue()
    assert sorted(person.name for person in gallery.people()) == ["p1", "p2", "p3", "p5"]
    assert [entry["template"] for entry in journalled(tmp_path, "removal")] == [ids["wrong"]]
    assert operator.audits == 2


def test_a_daemon_that_runs_takes_a_removed_template_for_nobodys(
    gallery: Gallery, ids: dict[str, str], tmp_path: Path
) -> None:
    with Gallery.open(tmp_path) as there:
        roster = Roster(there, "cosine", SPACE)
        assert roster.identifier.identify(face(2, 9)).person == ids["p1"]
        gallery.remove_template(ids["p1"], ids["wrong"])
        roster.follow()
        assert roster.identifier.identify(face(2, 9)).person == ids["p2"]


def test_the_last_template_of_a_person_is_not_to_be_had(gallery: Gallery) -> None:
    person = gallery.add_person("Ada").id
    key = add(gallery, person, face(1, 1))
    with pytest.raises(BadInput, match="last template"):
        gallery.remove_template(person, key)
    with pytest.raises(BadInput, match="no longer"):
        gallery.remove_template(person, "another")
    assert [entry.id for entry in gallery.entries(person)] == [key]
