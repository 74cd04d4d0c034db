"""Groups, memberships, rules, holidays and how people stand: the tables of a gallery from which a `Book` is made.

Every row is sealed or proven with the data key: one made, altered or moved without the key is refused by name.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date

from faceedge.errors import BadInput, StoreError
from faceedge.gallery import rows
from faceedge.gallery.access_rows import (
    EVERYONE,
    Holiday,
    body_context,
    group_context,
    holiday_from,
    holiday_to,
    membership_context,
    rule_from,
    rule_to,
    standing_context,
    standing_from,
    standing_to,
)
from faceedge.gallery.tables import Tables
from faceedge.rules.book import Book, Group, Rule, Standing
from faceedge.rules.schedule import Schedule


class Access:
    """Who may pass where and when, as it is stored. Raises BadInput on a wrong argument, StoreError on a bad row."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def book(self) -> Book:
        """Everything a decision needs, checked."""
        members = self._memberships()
        people = {
            key: replace(self._opened_standing(key, sealed), groups=members.get(key, frozenset()))
            for key, sealed in self._tables.rows("SELECT id, standing FROM people WHERE NOT tombstone")
        }
        groups = {group.id: group for group in self.groups()}
        return Book(people, groups, tuple(self.rules()), frozenset(holiday.day for holiday in self.holidays()))

    def standing(self, person_id: str) -> Standing:
        """Validity, block list and groups of one person. Raises BadInput when the person is gone."""
        found = self._tables.rows("SELECT standing FROM people WHERE id = ? AND NOT tombstone", person_id)
        if not found:
            raise BadInput("the person is no longer in the gallery; list the people again")
        groups = self._memberships().get(person_id, frozenset())
        return replace(self._opened_standing(person_id, found[0][0]), groups=groups)

    def set_standing(self, person_id: str, standing: Standing) -> None:
        """Stores validity and block list; the groups of `standing` do not count, see `join`."""
        with self._tables.transaction():
            sealed = self._tables.vault.seal(standing_to(standing), standing_context(person_id))
            if not self._write("UPDATE people SET standing = ?", sealed, key=person_id):
                raise BadInput("the person is no longer in the gallery; list the people again")

    def groups(self) -> list[Group]:
        """All groups, by name."""
        found = self._tables.rows("SELECT id, is_always, name FROM groups WHERE NOT tombstone")
        groups = [
            Group(key, self._tables.vault.open(name, group_context(key, bool(always))).decode(), bool(always))
            for key, always, name in found
        ]
        return sorted(groups, key=lambda group: group.name)

    def group(self, name: str) -> Group | None:
        """The group with exactly this name or id."""
        return next((group for group in self.groups() if name in (group.name, group.id)), None)

    def add_group(self, name: str, *, is_always: bool = False) -> Group:
        """A new group. Raises BadInput for a name that is taken, or is none."""
        with self._tables.transaction():
            name = rows.clean_name(name)
            if self.group(name) is not None or name == EVERYONE:
                raise BadInput(f"{name!r} is a group already; choose another name")
            group = Group(str(uuid.uuid4()), name, is_always)
            self._tables.run(
                "INSERT INTO groups (id, revision, created, is_always, name, name_tag) VALUES (?, ?, ?, ?, ?, ?)",
                group.id, self._tables.changes(), self._tables.now_s(), is_always, self._sealed_name(group),
                self._tables.vault.tag(f"group/{name}"),
            )  # fmt: skip
        return group

    def mark_group(self, group: Group, *, is_always: bool) -> Group:
        """The same group, marked always or not."""
        marked = replace(group, is_always=is_always)
        with self._tables.transaction():
            sealed = self._sealed_name(marked)
            if not self._write("UPDATE groups SET is_always = ?, name = ?", is_always, sealed, key=group.id):
                raise BadInput(f"group {group.name!r} is gone; list the rules again")
        return marked

    def remove_group(self, group: Group) -> int:
        """Erases a group and returns how many members it had. Raises BadInput while a rule names it."""
        with self._tables.transaction():
            if any(group.id in (rule.group, rule.escort) for rule in self.rules()):
                raise BadInput(f"rules name group {group.name!r}; remove them first")
            left = self._erase("memberships", "proof = NULL", "group_id = ?", group.id)
            self._erase("groups", "name = NULL, name_tag = NULL", "id = ?", group.id)
        return left

    def join(self, person_id: str, group: Group) -> None:
        """Makes the person a member; being one already is fine."""
        with self._tables.transaction():
            if group.id in self.standing(person_id).groups:
                return
            key = str(uuid.uuid4())
            proof = self._tables.vault.seal(b"", membership_context(key, person_id, group.id))
            self._tables.run(
                "INSERT INTO memberships (id, revision, created, person_id, group_id, proof) VALUES (?, ?, ?, ?, ?, ?)",
                key, self._tables.changes(), self._tables.now_s(), person_id, group.id, proof,
            )  # fmt: skip

    def leave(self, person_id: str, group: Group) -> bool:
        """Ends a membership; False when there was none."""
        with self._tables.transaction():
            erased = self._erase("memberships", "proof = NULL", "person_id = ? AND group_id = ?", person_id, group.id)
        return bool(erased)

    def forget(self, person_id: str) -> None:
        """Erases what is stored here of a person who is being removed. Part of the caller's transaction."""
        self._erase("memberships", "proof = NULL", "person_id = ?", person_id)
        self._tables.run("UPDATE people SET standing = NULL WHERE id = ?", person_id)

    def rules(self) -> list[Rule]:
        """All rules, oldest first."""
        found = self._tables.rows(
            "SELECT id, group_id, escort_id, body FROM rules WHERE NOT tombstone ORDER BY created, rowid"
        )
        return [
            rule_from(self._tables.vault.open(body, body_context("rules", key, group, escort)), key, group, escort)
            for key, group, escort, body in found
        ]

    def add_rule(
        self, group: Group | None, door: str, schedule: Schedule | None = None,
        escort: Group | None = None, within_s: int = 15,
    ) -> Rule:  # fmt: skip
        """A new rule. group None: everybody enrolled. Raises BadInput for what `Rule` refuses."""
        ids = [one.id if one else None for one in (group, escort)]
        rule = Rule(str(uuid.uuid4()), ids[0], door, schedule, ids[1], within_s)
        with self._tables.transaction():
            sealed = self._tables.vault.seal(rule_to(rule), body_context("rules", rule.id, rule.group, rule.escort))
            if any(self.group(one) is None for one in ids if one):
                raise BadInput("the group is gone; list the rules again")
            self._tables.run(
                "INSERT INTO rules (id, revision, created, group_id, escort_id, body) VALUES (?, ?, ?, ?, ?, ?)",
                rule.id, self._tables.changes(), self._tables.now_s(), rule.group, rule.escort, sealed,
            )  # fmt: skip
        return rule

    def remove_rule(self, rule: Rule) -> None:
        """Erases a rule. Raises BadInput when it is gone."""
        with self._tables.transaction():
            if not self._erase("rules", "body = NULL", "id = ?", rule.id):
                raise BadInput(f"rule {rule.id[:8]} is gone; list the rules again")

    def holidays(self) -> list[Holiday]:
        """All holidays, by date."""
        found = self._tables.rows("SELECT id, body FROM days_off WHERE NOT tombstone")
        days = [holiday_from(self._tables.vault.open(body, body_context("days_off", key)), key) for key, body in found]
        return sorted(days, key=lambda holiday: holiday.day)

    def add_holiday(self, day: date, name: str = "") -> Holiday:
        """Makes a date a holiday. Raises BadInput when it is one already."""
        holiday = Holiday(str(uuid.uuid4()), day, rows.clean_name(name) if name else "")
        with self._tables.transaction():
            if any(known.day == day for known in self.holidays()):
                raise BadInput(f"{day} is a holiday already; remove it first")
            self._tables.run(
                "INSERT INTO days_off (id, revision, created, body) VALUES (?, ?, ?, ?)",
                holiday.id, self._tables.changes(), self._tables.now_s(),
                self._tables.vault.seal(holiday_to(holiday), body_context("days_off", holiday.id)),
            )  # fmt: skip
        return holiday

    def remove_holiday(self, holiday: Holiday) -> None:
        """Makes a date an ordinary day again."""
        with self._tables.transaction():
            self._erase("days_off", "body = NULL", "id = ?", holiday.id)

    def _memberships(self) -> dict[str, frozenset[str]]:
        members: dict[str, frozenset[str]] = {}
        for key, person, group, proof in self._tables.rows(
            "SELECT id, person_id, group_id, proof FROM memberships WHERE NOT tombstone"
        ):
            if self._tables.vault.open(proof, membership_context(key, person, group)):
                raise StoreError(f"gallery.db: memberships/{key} was altered; restore a backup")
            members[person] = members.get(person, frozenset()) | {group}
        return members

    def _opened_standing(self, person_id: str, sealed: bytes | None) -> Standing:
        if sealed is None:
            return Standing()
        return standing_from(self._tables.vault.open(sealed, standing_context(person_id)), person_id)

    def _sealed_name(self, group: Group) -> bytes:
        return self._tables.vault.seal(group.name.encode(), group_context(group.id, group.is_always))

    def _write(self, update: str, *values: object, key: str) -> int:
        statement = f"{update}, revision = ? WHERE id = ? AND NOT tombstone"
        return self._tables.run(statement, *values, self._tables.changes(), key)

    def _erase(self, table: str, contents: str, which: str, *values: object) -> int:
        statement = f"UPDATE {table} SET tombstone = 1, {contents}, revision = ? WHERE {which} AND NOT tombstone"  # noqa: S608, constants
        return self._tables.run(statement, self._tables.changes(), *values)
