"""`journal verify`, `journal export` and `why`, as a person uses them; and what other commands write down."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faceedge.__main__ import main
from faceedge.decide import TRUSTED_QUALITY, USABLE_QUALITY
from faceedge.gallery.store import Gallery
from faceedge.journal.chain import Chain
from faceedge.journal.entry import Entry
from faceedge.journal.reading import entries, reading
from tests.cli.conftest import Answer, Run
from tests.fakes.vision import Sitter, save
from tests.journal.made_up import draft, grow, stamp

Call = Callable[..., Answer]
MATTER = "0123456789abcdef"
LIMITS = {
    "grey": 0.5, "match": 0.6, "strict": 0.7, "margin": 0.02, "votes": 3, "of": 5, "face_px": 80,
    "usable": USABLE_QUALITY, "trusted": TRUSTED_QUALITY,
}  # fmt: skip
DECISION = {
    "id": MATTER, "camera": "entry", "track": 1, "segment": 0, "outcome": "grant", "reason": "match",
    "band": "trusted", "person": None, "similarity": 0.8123, "margin": 0.2, "quality": 0.81, "votes": 3, "shots": 4,
    "seq": 9, "box": None, "poor": [], "limits": LIMITS, "age_ms": 180.2,
}  # fmt: skip
OPENED = {
    "id": MATTER, "door": "main", "controller": "main", "verdict": "opened", "why": "", "answer_ms": 12.0,
    "latency_ms": 200.0,
}  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def call(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("journal", "verify")`, through the real entry point."""
    monkeypatch.setenv("FACEEDGE_STATE", str(state))
    monkeypatch.delenv("FACEEDGE_CONFIG", raising=False)

    def run_it(*argv: object) -> Answer:
        code = main([str(word) for word in argv])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run_it


def write(state: Path, *found: tuple[str, dict[str, Any]]) -> None:
    with Chain.open(state) as chain:
        chain.append([stamp().draft(kind, body) for kind, body in found])


def read(state: Path) -> list[Entry]:
    with reading(state / "journal.db") as connection:
        return list(entries(connection))


def test_verify_answers_0_when_all_is_well(call: Call, state: Path) -> None:
    with Chain.open(state) as chain:
        grow(chain, 5)
    answer = call("journal", "verify")
    assert answer.code == 0
    assert "whole, 5 entries (1 to 5)" in answer.out
    assert call("journal", "verify", "--json").document["ok"] is True


def test_verify_answers_1_when_it_is_broken_and_says_where(call: Call, state: Path) -> None:
    with Chain.open(state) as chain:
        grow(chain, 5)
        chain._connection.execute("DELETE FROM entries WHERE seq = 3")
    answer = call("journal", "verify")
    assert (answer.code, "BROKEN: after entry 2 comes entry 4" in answer.out) == (1, True)
    assert call("journal", "verify", "--json").document["problem"] == "after entry 2 comes entry 4"


@pytest.mark.parametrize("shape", ["head", "state", "file"])
def test_verify_takes_a_head_in_the_shapes_in_which_people_have_it(
    call: Call, state: Path, tmp_path: Path, shape: str
) -> None:
    with Chain.open(state) as chain:
        grow(chain, 5)
        last = chain.last()
        head = chain.signer.head(last.seq, last.hash).as_json()
        text = json.dumps({"version": "1", "journal": {"ok": True, "head": head}} if shape == "state" else head)
        if shape == "file":
            (tmp_path / "head.json").write_text(text, encoding="ascii")
            text = str(tmp_path / "head.json")
        assert call("journal", "verify", "--head", text).code == 0
        chain._connection.execute("DELETE FROM entries WHERE seq = 5")
    answer = call("journal", "verify", "--head", text)
    assert (answer.code, "ends with entry 4" in answer.out) == (1, True)


@pytest.mark.parametrize("head", ["{}", "nowhere.json", '{"seq": "1"}', "{"])
def test_verify_refuses_what_is_no_head(call: Call, state: Path, head: str) -> None:
    write(state, ("start", {}))
    answer = call("journal", "verify", "--head", head)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


def test_commands_without_a_journal_say_so(call: Call, tmp_path: Path) -> None:
    for words in (["journal", "verify"], ["journal", "export", tmp_path / "out.csv"], ["why"]):
        answer = call(*words)
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "out.csv").exists()


def test_export_writes_json_lines(call: Call, state: Path, tmp_path: Path) -> None:
    write(state, ("decision", DECISION), ("verdict", OPENED))
    answer = call("journal", "export", tmp_path / "out.jsonl", "--json")
    assert answer.document["entries"] == 2
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("ascii").splitlines()]
    assert [entry["seq"] for entry in found] == [1, 2]
    assert found[0]["body"] == DECISION
    assert found[0]["time"] == "2027-01-15T08:00:00.000Z"
    assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) == 0o600


def test_export_writes_a_table(call: Call, state: Path, tmp_path: Path) -> None:
    write(state, ("decision", {**DECISION, "reason": "=1+1"}), ("verdict", OPENED))
    assert call("journal", "export", tmp_path / "out.csv").out == f"{tmp_path / 'out.csv'}: 2 entries\n"
    with (tmp_path / "out.csv").open(encoding="ascii", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["kind"], row["outcome"], row["verdict"]) for row in found] == [
        ("decision", "grant", ""), ("verdict", "", "opened"),
    ]  # fmt: skip
    assert found[0]["reason"] == "'=1+1", "a spreadsheet must not take it for a formula"
    assert json.loads(found[1]["body"]) == OPENED


def test_an_export_that_cannot_be_written_leaves_nothing(call: Call, state: Path, tmp_path: Path) -> None:
    write(state, ("decision", DECISION))
    answer = call("journal", "export", tmp_path / "nowhere" / "out.csv")
    assert (answer.code, answer.out) == (2, "")


def test_why_tells_of_the_last_decision_with_the_name_of_now(call: Call, state: Path) -> None:
    with Gallery.open(state) as gallery:
        ada = gallery.add_person("Ada Lovelace")
    write(
        state, ("decision", {**DECISION, "id": "f" * 16, "outcome": "deny"}),
        ("decision", {**DECISION, "person": ada.id}), ("grant", {"id": MATTER, "doors": ["main"]}), ("verdict", OPENED),
    )  # fmt: skip
    text = call("why", "--last").out
    assert text == call("why").out == call("why", MATTER).out == call("why", "2").out
    for part in (
        "opened, because Ada Lovelace was recognised", "3 of 4 pictures agreed, 3 are needed", "similarity 0.812",
        "match from 0.600", "Quality of the picture 0.81", "the controller opened 12 ms after the grant was sent",
        "the decision 180 ms",
    ):  # fmt: skip
        assert part in text
    assert "What to do" not in text
    document = call("why", "--json").document
    assert (document["name"], [entry["kind"] for entry in document["entries"]]) == (
        "Ada Lovelace", ["decision", "grant", "verdict"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("decision", "verdict", "parts"),
    [
        (
            {"outcome": "deny", "reason": "low_quality", "poor": ["too dark"], "similarity": None, "margin": None},
            None, ["refused, because the pictures were too poor", "too dark", "What to do: more light at the door"],
        ),
        ({"outcome": "deny", "reason": "unknown"}, None, ["nobody's of the gallery", "faceedge enroll"]),
        ({"outcome": "review", "reason": "ambiguous"}, None, ["two people", "second factor", "at least 0.020"]),
        ({}, {"verdict": "lost", "why": "no fresh challenge"}, ["not opened, though", "was lost", "it is off"]),
        ({}, {"verdict": "refused", "why": "spent challenge"}, ["not opened", "refused", "spent challenge"]),
        ({}, {"verdict": "unsent", "why": "disk full"}, ["not opened", "was not sent", "look at the disk"]),
        ({}, None, ["granted", "No door is configured"]),
        ({"outcome": "deny", "reason": "a new reason"}, None, ["because a new reason"]),
    ],
)  # fmt: skip
def test_why_says_what_happened_and_what_helps(
    call: Call, state: Path, decision: dict[str, Any], verdict: dict[str, Any] | None, parts: list[str]
) -> None:
    write(state, ("decision", {**DECISION, **decision}), *([("verdict", {**OPENED, **verdict})] if verdict else []))
    text = call("why").out
    assert [part for part in parts if part not in text] == []


REVIEW = "aaaaaaaaaaaaaaaa"
IN_DOUBT = {**DECISION, "id": REVIEW, "outcome": "review", "reason": "grey_zone", "band": "grey", "similarity": 0.55}
ASKED = {"id": REVIEW, "person": None, "doors": ["main"], "valid_ms": 30_000}
CONFIRMED = {**DECISION, "reason": "second_factor", "band": "grey", "review": REVIEW}


def confirm(why: str = "", decision: str = REVIEW) -> tuple[str, dict[str, Any]]:
    said = {"id": "x" * 22, "cmd": "confirm", "key": "1a2b3c4d", "args": {"decision": decision}}
    return "command", {**said, "ok": not why, "why": why}


def test_why_tells_the_story_of_a_second_factor_whichever_of_its_decisions_is_asked_for(
    call: Call, state: Path
) -> None:
    write(
        state, ("decision", IN_DOUBT), ("second_factor", ASKED), confirm("not seen any more"),
        ("decision", {**DECISION, "id": "b" * 16}), confirm("used", "b" * 16), ("command", {"cmd": "ping", "args": {}}),
        ("decision", CONFIRMED), ("grant", {"id": MATTER, "doors": ["main"]}), confirm(), ("verdict", OPENED),
    )  # fmt: skip
    text = call("why").out
    assert text == call("why", REVIEW).out == call("why", MATTER).out == call("why", "1").out == call("why", "7").out
    told = [
        "entry 1: opened after a second factor, because it may have been",
        "A second factor was asked for, to open main.",
        "Site key 1a2b3c4d confirmed it in vain: not seen any more.",
        "It was confirmed by site key 1a2b3c4d after 0.0 s.",
        "the controller opened 12 ms",
    ]
    assert sorted(told, key=text.index) == told
    assert "used" not in text


@pytest.mark.parametrize(
    ("found", "parts"),
    [
        ([("second_factor", ASKED)], ["not opened, a second factor would decide", "was asked for, to open main"]),
        (
            [("second_factor", ASKED), confirm("too late")],
            ["not opened, a second factor would decide", "confirmed it in vain: too late"],
        ),
        (
            [("second_factor", ASKED), ("decision", {**CONFIRMED, "outcome": "deny", "reason": "lockdown"}),
             confirm("refused: lockdown")],
            ["refused, because it may have been", "confirmed it in vain: a lockdown kept"],
        ),
        (
            [("second_factor", ASKED), ("decision", CONFIRMED), ("grant", {"id": MATTER, "doors": ["main"]}),
             ("verdict", {**OPENED, "verdict": "lost", "why": "no verdict"})],
            ["not opened after a second factor", "confirmed by a site key after 0.0 s", "the grant was lost"],
        ),
        (
            [("second_factor", ASKED), ("decision", CONFIRMED), ("grant", {"id": MATTER, "doors": ["main"]}),
             ("verdict", {**OPENED, "verdict": "lost", "why": "offline"}), confirm("lost: offline")],
            ["not opened after", "was asked for, to open main. It was confirmed by site key 1a2b3c4d", "offline"],
        ),
    ],
)  # fmt: skip
def test_why_tells_where_a_second_factor_ended(
    call: Call, state: Path, found: list[tuple[str, dict[str, Any]]], parts: list[str]
) -> None:
    write(state, ("decision", IN_DOUBT), *found)
    text = call("why").out
    assert [part for part in parts if part not in text] == []


def test_why_of_a_second_factor_whose_question_is_no_longer_kept(call: Call, state: Path) -> None:
    write(state, ("decision", CONFIRMED), ("grant", {"id": MATTER, "doors": ["main"]}), ("verdict", OPENED))
    assert "was probably there, and a second factor confirmed it" in call("why").out


def test_why_knows_somebody_who_was_removed_by_the_id_only(call: Call, state: Path) -> None:
    write(state, ("decision", {**DECISION, "person": "11111111-1111-4111-8111-111111111111"}))
    assert "somebody no longer in the gallery (11111111" in call("why").out


def test_why_needs_no_clock_that_was_set(call: Call, state: Path) -> None:
    with Chain.open(state) as chain:
        chain.append([stamp(wall=5.0).draft("decision", DECISION)])
    assert "the clock was not set" in call("why").out


@pytest.mark.parametrize("wanted", ["7", "f" * 16, "rubbish", "Ⅷ", "-1x"])
def test_why_of_a_decision_that_is_not_there(call: Call, state: Path, wanted: str) -> None:
    write(state, ("start", {}), ("decision", DECISION))
    answer = call("why", "--", wanted)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert call("why", "1").code == 2, "an entry, but no decision"


def test_enrolment_and_removal_are_written_down_without_a_name(run: Run, state: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "lovelace.png", Sitter(1))
    person = run("enroll", "Ada Lovelace", photo, "--json").document["person"]
    assert run("people", "remove", "Ada Lovelace").code == 0
    found = read(state)
    assert [entry.draft.kind for entry in found] == ["enrolment", "removal"]
    assert {entry.body["person"] for entry in found} == {person["id"]}
    everything = b"".join(path.read_bytes() for path in state.glob("journal.db*"))
    assert b"ovelace" not in everything


def test_nobody_is_enrolled_who_cannot_be_written_down(run: Run, state: Path, tmp_path: Path) -> None:
    state.mkdir()
    (state / "journal.db").write_bytes(b"rubbish " * 2000)
    answer = run("enroll", "Ada", save(tmp_path / "ada.png", Sitter(1)))
    assert (answer.code, "journal.db" in answer.err) == (2, True)
    with Gallery.open(state) as gallery:
        assert gallery.people() == []


def test_somebody_is_removed_even_when_the_journal_is_damaged(run: Run, state: Path, tmp_path: Path) -> None:
    run("enroll", "Ada", save(tmp_path / "ada.png", Sitter(1)))
    for path in state.glob("journal.db*"):
        path.unlink()
    (state / "journal.db").write_bytes(b"rubbish " * 2000)
    answer = run("people", "remove", "Ada")
    assert (answer.code, "done, but not in the journal" in answer.err) == (0, True)


def test_a_new_door_key_is_written_down_and_not_told(call: Call, state: Path) -> None:
    kid = call("door", "add", "main", "--json").document["kid"]
    assert read(state)[0].body == {"door": "main", "controller": "main", "key": kid, "what": "made"}


def test_a_big_journal_is_found_in(call: Call, state: Path) -> None:
    write(state, ("decision", DECISION))
    with Chain.open(state) as chain:
        chain.append([draft(number, kind="event") for number in range(3000)])
    assert call("why", MATTER).code == 0


def test_who_may_pass_is_never_changed_without_an_entry_and_never_by_name(call: Call, state: Path) -> None:
    with Gallery.open(state) as gallery:
        anna = gallery.add_person("Anna Blume")
    assert call("rules", "add", "Nightshift", "any").code == 0
    assert call("people", "set", "Anna Blume", "--group", "Nightshift", "--block").code == 0
    assert call("rules", "group", "Nightshift", "--always").code == 0
    assert call("rules", "holiday", "2026-12-24").code == 0
    with reading(state / "journal.db") as connection:
        written = [(entry.draft.kind, entry.body) for entry in entries(connection, "1")]
    assert [kind for kind, _ in written if kind != "checkpoint"] == ["rule", "person", "group", "holiday"]
    assert next(body for kind, body in written if kind == "person")["person"] == anna.id
    assert b"Anna" not in b"".join(path.read_bytes() for path in state.glob("journal.db*"))
    assert b"Nightshift" not in b"".join(path.read_bytes() for path in state.glob("journal.db*"))
