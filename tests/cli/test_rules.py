"""`rules` and `people set`: an operator says who may pass, and asks why somebody may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceedge.gallery.store import Gallery
from faceedge.permit import Permit
from faceedge.rules import moments as written
from faceedge.types import Decision, Evidence
from tests.cli.conftest import Run
from tests.gallery.test_access import stored
from tests.rules.made_up import DOORS, PEOPLE, books, moments

WEDNESDAY, SUNDAY = "2026-06-10T12:00", "2026-06-14T12:00"
CONFIG = """
[[camera]]
uri = "0"
[[door]]
name = "main"
[[door]]
name = "lab"
[clock]
zone = "Europe/Berlin"
"""


@pytest.fixture
def gallery(tmp_path: Path) -> Callable[[], Gallery]:
    return lambda: Gallery.open(tmp_path / "state")


@pytest.fixture
def ada(gallery: Callable[[], Gallery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Somebody enrolled, at a site with two doors in Berlin."""
    file = tmp_path / "door.toml"
    file.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("FACEEDGE_CONFIG", str(file))
    with gallery() as opened:
        opened.add_person("Bob")
        return opened.add_person("Ada").id


@pytest.fixture
def site(run: Run, ada: str) -> Run:
    """`run`, after Ada was enrolled; the fixture `run` forgets the configuration, so it comes first."""
    return run


def test_without_rules_everybody_enrolled_may_pass_and_that_is_said(site: Run) -> None:
    assert "everybody enrolled may pass every door" in site("rules", "list").out
    answer = site("rules", "check", "Ada", "main", WEDNESDAY)
    assert answer.code == 0
    assert answer.out.startswith("yes (no_rules): Ada at door main on Wednesday 2026-06-10 at 12:00 Europe/Berlin\n")


def test_a_rule_lets_its_group_pass_in_its_hours_and_nobody_else(site: Run) -> None:
    added = site("rules", "add", "staff", "main", "--at", "mon-fri 08:00-18:00")
    assert added.code == 0
    assert "lets staff through door main at mon-fri 08:00-18:00 (Europe/Berlin)" in added.out
    assert "no members yet" in added.out
    refused = site("rules", "check", "Ada", "main", WEDNESDAY, "--json")
    assert (refused.code, refused.document["reason"]) == (1, "not_here")
    assert refused.document["to_pass"] == [
        "put the person into group staff: faceedge people set NAME --group staff"
    ]  # fmt: skip
    assert site("people", "set", "Ada", "--group", "staff").out == "Ada: in staff\n"
    assert site("rules", "check", "Ada", "main", WEDNESDAY).code == 0
    late = site("rules", "check", "Ada", "main", SUNDAY)
    assert late.code == 1
    assert "there it is Sunday 2026-06-14 12:00" in late.out
    assert "opens next on Monday 2026-06-15 at 08:00 Europe/Berlin" in late.out
    assert site("rules", "check", "Bob", "lab", SUNDAY).code == 0, "no rule names the lab"


def test_hours_are_those_of_the_site_unless_another_zone_is_named(site: Run) -> None:
    site("rules", "add", "everyone", "main", "--at", "10:00-11:00")
    site("rules", "add", "everyone", "lab", "--at", "10:00-11:00", "--zone", "UTC")
    codes = [site("rules", "check", "Ada", door, "2026-06-10T08:30Z").code for door in ("main", "lab")]
    assert codes == [0, 1]
    assert [rule["zone"] for rule in site("rules", "list", "--json").document["rules"]] == ["Europe/Berlin", "UTC"]


def test_an_escort_is_asked_for_and_counts(site: Run) -> None:
    site("people", "set", "Ada", "--group", "visitors")
    site("people", "set", "Bob", "--group", "staff")
    site("rules", "add", "staff", "main")
    site("rules", "add", "visitors", "main", "--escort", "staff", "--within", "20")
    alone = site("rules", "check", "Ada", "main", WEDNESDAY)
    assert (alone.code, "somebody of staff" in alone.out) == (1, True)
    assert site("rules", "check", "Ada", "main", WEDNESDAY, "--with", "Bob").code == 0


def test_without_a_clock_only_a_group_marked_always_passes(site: Run) -> None:
    site("people", "set", "Ada", "--group", "firemen")
    site("rules", "add", "firemen", "main")
    assert site("rules", "check", "Ada", "main", "no-clock").code == 1
    assert site("rules", "group", "firemen", "--always").out == "group firemen: always\n"
    assert site("rules", "check", "Ada", "main", "no-clock").code == 0
    site("rules", "group", "firemen", "--not-always")
    assert site("rules", "check", "Ada", "main", "no-clock", "--json").document["reason"] == "clock"


def test_holidays_have_their_own_hours(site: Run) -> None:
    site("rules", "add", "everyone", "main", "--at", "mon-fri 08:00-18:00")
    friday = "2026-12-25T12:00"
    assert site("rules", "check", "Ada", "main", friday).code == 0
    assert site("rules", "holiday", "2026-12-25", "--name", "Christmas").code == 0
    refused = site("rules", "check", "Ada", "main", friday)
    assert (refused.code, "a holiday" in refused.out) == (1, True)
    assert site("rules", "list", "--json").document["holidays"] == [{"date": "2026-12-25", "name": "Christmas"}]
    site("rules", "holiday", "2026-12-25", "--remove")
    assert site("rules", "check", "Ada", "main", friday).code == 0


def test_validity_counts_whole_days_of_the_site(site: Run) -> None:
    shown = site("people", "set", "Ada", "--valid-from", "2026-06-10", "--valid-until", "2026-06-11", "--json").document
    assert (shown["valid_from"], shown["valid_until"]) == ("2026-06-09T22:00:00+00:00", "2026-06-11T22:00:00+00:00")
    reasons = [
        site("rules", "check", "Ada", "main", when, "--json").document["reason"]
        for when in ("2026-06-09T23:59", "2026-06-10T00:00", "2026-06-11T23:59", "2026-06-12T00:00", "no-clock")
    ]
    assert reasons == ["not_yet", "no_rules", "no_rules", "expired", "clock"]
    assert site("people", "set", "Ada", "--valid-until", "none", "--json").document["valid_until"] is None
    assert site("rules", "check", "Ada", "main", "2030-01-01T12:00").code == 0
    assert site("people", "set", "Ada", "--valid-until", "2026-06-01").code == 2


def test_a_blocked_person_is_refused_until_unblocked(site: Run) -> None:
    assert site("people", "set", "Ada", "--block").out == "Ada: blocked\n"
    assert "blocked" in site("people", "show", "Ada").out
    refused = site("rules", "check", "Ada", "main", WEDNESDAY)
    assert (refused.code, "--unblock" in refused.out) == (1, True)
    site("people", "set", "Ada", "--unblock")
    assert site("rules", "check", "Ada", "main", WEDNESDAY).code == 0


def test_people_set_changes_all_or_nothing(site: Run) -> None:
    refused = site("people", "set", "Ada", "--rename", "Ada King", "--block", "--no-group", "staff")
    assert refused.code == 2
    shown = site("people", "show", "Ada", "--json").document
    assert (shown["blocked"], shown["groups"], shown["name"]) == (False, [], "Ada")
    done = site("people", "set", "Ada", "--rename", "Ada King", "--group", "staff", "--group", "lab", "--json").document
    assert (done["name"], done["groups"]) == ("Ada King", ["lab", "staff"])
    assert site("people", "set", "Ada King", "--no-group", "lab").out == "Ada King: in staff\n"


def test_a_rule_is_removed_by_the_beginning_of_its_id_and_an_open_door_is_told(site: Run) -> None:
    rules = [site("rules", "add", "staff", door, "--json").document["id"] for door in ("main", "any")]
    assert site("rules", "remove", rules[0][:3]).code == 2
    assert site("rules", "remove", "ffffffff-").code == 2
    assert "everybody" not in site("rules", "remove", rules[0][:8]).out
    assert "no rule is left for any door: everybody enrolled may pass" in site("rules", "remove", rules[1]).out
    assert site("rules", "list", "--json").document["rules"] == []


def test_a_group_is_removed_only_when_no_rule_needs_it(site: Run) -> None:
    rule = site("rules", "add", "staff", "main", "--json").document["id"]
    site("people", "set", "Ada", "--group", "staff")
    assert site("rules", "group", "staff", "--remove").code == 2
    site("rules", "remove", rule)
    assert site("rules", "group", "staff", "--remove").out == "removed group staff: 1 member left it\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("add", "staff", "garage"), "known are main, lab"),
        (("add", "staff", "main", "--at", "8-18"), "mon-fri 08:00-18:00"),
        (("add", "staff", "main", "--at", "08:00-18:00", "--zone", "Mars"), "Europe/Berlin"),
        (("add", "staff", "main", "--zone", "UTC"), "--at"),
        (("add", "visitors", "main", "--escort", "everyone"), "everyone"),
        (("add", "visitors", "main", "--escort", "staff", "--within", "999"), "1 to 120"),
        (("add", "a\nb", "main"), "is no name"),
        (("check", "Eve", "main"), "people list"),
        (("check", "Ada", "any"), "known are main, lab"),
        (("check", "Ada", "main", "2026-06-10"), "name a time"),
        (("check", "Ada", "main", "yesterday"), "2026-06-10T18:00"),
        (("check", "Ada", "main", "0001-01-01T00:00"), "too far away"),
        (("holiday", "25.12."), "2026-12-25"),
        (("holiday", "2026-12-25", "--remove"), "no holiday"),
        (("group", "everyone"), "everyone"),
        (("group", "nobody", "--remove"), "rules list"),
        (("remove", "12345678"), "rules list"),
    ],
)
def test_a_wrong_argument_ends_with_2_in_one_line_and_changes_nothing(
    site: Run, argv: tuple[str, ...], told: str
) -> None:
    answer = site("rules", *argv)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert "\n" not in answer.err
    document = site("rules", "list", "--json").document
    assert document == {"groups": [], "rules": [], "holidays": []}


@pytest.mark.parametrize("action", ["", "list", "add", "remove", "group", "holiday", "check"])
def test_help_teaches_with_an_example(run: Run, action: str) -> None:
    answer = run("rules", *action.split(), "--help")
    assert answer.code == 0
    assert "Example: faceedge rules " in answer.out


def test_now_is_a_moment_too(site: Run) -> None:
    assert site("rules", "check", "Ada", "main").code == 0


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(books, st.sampled_from(PEOPLE), st.sampled_from(DOORS), st.none() | moments)
def test_a_check_answers_as_the_gate_at_the_door_does(
    run: Run, tmp_path_factory: pytest.TempPathFactory, book: object, person: str, door: str, now: object
) -> None:
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEEDGE_STATE", str(state))
        with Gallery.open(state) as gallery:
            ids = stored(gallery, book)  # type: ignore[arg-type]
            held = gallery.book()
        answer = run("rules", "check", person, door, now.isoformat() if now else "no-clock", "--json")  # type: ignore[attr-defined]
    if person not in ids:
        assert answer.code == 2
        return
    grant = Decision("entry", 1, 0, "grant", "match", "trusted", ids[person], Evidence(0.9, 1.0, 0.9, 3, 3, 1.0), 1.5)
    made = Permit(lambda: held, {"entry": (door,)}, lambda: now, lambda *_: None, lambda: False)(grant)  # type: ignore[arg-type, return-value]
    assert answer.code == (0 if made.doors == (door,) else 1)
    assert answer.document["allowed"] == (made.outcome == "grant")
    assert answer.document["allowed"] or answer.document["reason"] == made.reason


def test_a_validity_at_a_time_shown_twice_or_never_is_the_shorter_one() -> None:
    berlin = "Europe/Berlin"
    twice, never = "2026-10-25T02:30", "2026-03-29T02:30"
    assert written.begins(twice, berlin).isoformat() == "2026-10-25T01:30:00+00:00"
    assert written.ends(twice, berlin).isoformat() == "2026-10-25T00:30:00+00:00"
    assert written.begins(never, berlin).isoformat() == "2026-03-29T01:30:00+00:00"
    assert written.ends(never, berlin).isoformat() == "2026-03-29T00:30:00+00:00"
