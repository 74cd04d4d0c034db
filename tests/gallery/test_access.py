"""Rules, groups and validity in the gallery: they come back as they were, only to those with the key, or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from faceedge.errors import BadInput, FaceedgeError, StoreError
from faceedge.gallery.schema import MIGRATIONS
from faceedge.gallery.store import Gallery
from faceedge.rules.book import Book, Standing
from faceedge.rules.schedule import Schedule, Window
from tests.rules.made_up import books

OFFICE = Schedule((Window.parse("mon-fri 08:00-18:00"), Window.parse("sat 22:00-06:00")), "Europe/Berlin")
VISIT = Standing(datetime(2026, 6, 1, tzinfo=timezone.utc), datetime(2026, 7, 1, tzinfo=timezone.utc), blocked=True)


def furnished(gallery: Gallery) -> str:
    """One of everything; returns the id of the person."""
    ada = gallery.add_person("Ada")
    staff = gallery.access.add_group("Secret Service", is_always=True)
    gallery.access.join(ada.id, staff)
    gallery.access.set_standing(ada.id, VISIT)
    gallery.access.add_rule(staff, "backdoor", OFFICE, staff, 20)
    gallery.access.add_holiday(date(2026, 12, 25), "Christmas")
    return ada.id


def tampered(state: Path, statement: str) -> None:
    with closing(sqlite3.connect(state / "gallery.db")) as raw, raw:
        assert raw.execute(statement).rowcount >= 1


def stored(gallery: Gallery, book: Book) -> dict[str, str]:
    """Puts a made-up rule set into the gallery; returns the ids that its people and groups got."""
    groups = {
        key: gallery.access.add_group(group.name, is_always=group.is_always) for key, group in book.groups.items()
    }
    ids = {key: group.id for key, group in groups.items()}
    for name, standing in book.people.items():
        ids[name] = gallery.add_person(name).id
        gallery.access.set_standing(ids[name], standing)
        for group in standing.groups:
            gallery.access.join(ids[name], groups[group])
    for rule in book.rules:
        members, escort = (groups[one] if one else None for one in (rule.group, rule.escort))
        gallery.access.add_rule(members, rule.door, rule.schedule, escort, rule.within_s)
    for day in book.holidays:
        gallery.access.add_holiday(day)
    return ids


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(books)
def test_a_rule_set_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, book: Book) -> None:
    state = tmp_path_factory.mktemp("state")
    with Gallery.open(state) as gallery:
        ids = stored(gallery, book)
    with Gallery.open(state) as again:
        found = again.book()
    assert found.holidays == book.holidays
    assert [(group.name, group.is_always) for group in found.groups.values()] == sorted(
        (group.name, group.is_always) for group in book.groups.values()
    )
    for name, standing in book.people.items():
        other = found.people[ids[name]]
        assert (other.valid_from, other.valid_until, other.blocked) == (
            standing.valid_from, standing.valid_until, standing.blocked,
        )  # fmt: skip
        assert other.groups == {ids[group] for group in standing.groups}
    for rule, other in zip(book.rules, found.rules, strict=True):
        wanted = (ids.get(rule.group or ""), rule.door, rule.schedule, ids.get(rule.escort or ""), rule.within_s)
        assert (other.group, other.door, other.schedule, other.escort, other.within_s) == wanted


def test_a_gallery_without_rules_gives_an_empty_book(gallery: Gallery) -> None:
    ada = gallery.add_person("Ada")
    assert gallery.book() == Book({ada.id: Standing()})


def test_what_was_removed_is_gone_and_names_are_free_again(gallery: Gallery) -> None:
    ada = furnished(gallery)
    access = gallery.access
    (rule,), (holiday,), (staff,) = access.rules(), access.holidays(), access.groups()
    with pytest.raises(BadInput, match="remove them first"):
        access.remove_group(staff)
    access.remove_rule(rule)
    access.remove_holiday(holiday)
    assert access.leave(ada, staff)
    assert not access.leave(ada, staff)
    access.join(ada, staff)
    assert access.remove_group(staff) == 1
    assert gallery.book().people[ada].groups == frozenset()
    assert gallery.book() == Book({ada: VISIT})
    access.add_group("Secret Service")
    with pytest.raises(BadInput, match="gone"):
        access.remove_rule(rule)


def test_a_removed_person_leaves_no_standing_and_no_membership(gallery: Gallery, state: Path) -> None:
    ada = gallery.find(furnished(gallery))
    assert ada is not None
    gallery.remove(ada)
    assert gallery.book().people == {}
    with closing(sqlite3.connect(state / "gallery.db")) as raw:
        assert raw.execute("SELECT standing FROM people").fetchall() == [(None,)]
        assert raw.execute("SELECT tombstone, proof FROM memberships").fetchall() == [(1, None)]


def test_joining_twice_is_being_there_once_and_the_mark_can_change(gallery: Gallery) -> None:
    ada = furnished(gallery)
    (staff,) = gallery.access.groups()
    gallery.access.join(ada, staff)
    assert gallery.access.mark_group(staff, is_always=False) == gallery.access.group("Secret Service")
    assert gallery.access.remove_group(gallery.access.add_group("other")) == 0


def test_every_change_of_the_rules_is_noticed_by_a_running_daemon(gallery: Gallery) -> None:
    seen = [gallery.changes()]
    ada = furnished(gallery)
    for change in (
        lambda: gallery.access.set_standing(ada, Standing()),
        lambda: gallery.access.mark_group(gallery.access.groups()[0], is_always=False),
        lambda: gallery.access.remove_rule(gallery.access.rules()[0]),
        lambda: gallery.access.remove_holiday(gallery.access.holidays()[0]),
    ):
        seen.append(gallery.changes())
        change()
    assert sorted(set(seen)) == seen


def test_a_stolen_database_tells_no_group_door_hours_or_holiday(gallery: Gallery, state: Path) -> None:
    furnished(gallery)
    stolen = b"".join(path.read_bytes() for path in state.glob("gallery.db*"))
    for secret in (b"Secret", b"Service", b"backdoor", b"08:00", b"Berlin", b"Christmas", b"2026-12"):
        assert secret not in stolen


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE groups SET is_always = 0",
        "UPDATE rules SET escort_id = NULL",
        "UPDATE rules SET group_id = NULL",
        "UPDATE people SET standing = (SELECT body FROM rules)",
        "UPDATE days_off SET body = (SELECT body FROM rules)",
        "UPDATE memberships SET id = 'x'",
        "UPDATE memberships SET proof = x'00'",
        "INSERT INTO memberships SELECT 'new', 9, 0, 0, (SELECT id FROM people WHERE standing IS NULL), group_id, proof"
        " FROM memberships",
    ],
)
def test_a_row_made_or_altered_without_the_key_is_refused(gallery: Gallery, state: Path, statement: str) -> None:
    furnished(gallery)
    gallery.add_person("Eve")
    gallery.book()
    tampered(state, statement)
    with pytest.raises(StoreError, match=r"gallery\.db: \w+/"):
        gallery.book()


def test_what_cannot_be_is_refused(gallery: Gallery) -> None:
    furnished(gallery)
    (staff,) = gallery.access.groups()
    for wrong in (
        lambda: gallery.access.add_group("everyone"),
        lambda: gallery.access.add_group("Secret Service"),
        lambda: gallery.access.add_group(" "),
        lambda: gallery.access.add_rule(staff, "Back Door"),
        lambda: gallery.access.add_rule(staff, "main", None, staff, 0),
        lambda: gallery.access.add_holiday(date(2026, 12, 25)),
        lambda: gallery.access.join("nobody", staff),
        lambda: gallery.access.set_standing("nobody", Standing()),
    ):
        with pytest.raises(FaceedgeError):
            wrong()
    assert len(gallery.access.rules()) == 1


def test_a_gallery_of_the_first_version_is_taken_over_and_stays_readable_to_it(state: Path) -> None:
    """The first version knows nothing of rules: what it wrote is kept, and what it reads and writes still works."""
    with Gallery.open(state) as gallery:
        ada = furnished(gallery)
    with closing(sqlite3.connect(state / "gallery.db")) as raw, raw:
        (version,) = raw.execute("PRAGMA user_version").fetchone()
        assert version == len(MIGRATIONS) >= 2
        raw.execute(
            "INSERT INTO people (name, name_tag, revision, id, created) SELECT name, x'01', 1, 'b', 1 FROM people"
        )
        raw.execute("UPDATE people SET tombstone = 1, name = NULL, name_tag = NULL WHERE id = ?", (ada,))
    with Gallery.open(state) as gallery:
        assert set(gallery.book().people) == {"b"}


def test_the_first_schema_is_brought_up_to_date(state: Path) -> None:
    state.mkdir(mode=0o700)
    with closing(sqlite3.connect(state / "gallery.db")) as raw:
        raw.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version = 1;")
        raw.execute("PRAGMA journal_mode = WAL")
    with Gallery.open(state) as gallery:
        furnished(gallery)
        assert len(gallery.book().rules) == 1
