"""Pairs of people who look alike, as they are stored: symmetric, kept until the likeness is gone or somebody clears it.

Like the rows of rules, each is sealed for its place: one made, altered or moved without the key is refused by name.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, replace

from faceedge.errors import BadInput
from faceedge.gallery.access_rows import body_context, packed, unpacked
from faceedge.gallery.base import Likeness, Pair, Person
from faceedge.gallery.tables import Tables

MOST_REASON = 200


class Alike:
    """A `LookAlikes` in the tables of one gallery. Raises StoreError when a row does not hold."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def pairs(self, person_id: str | None = None) -> list[Pair]:
        """Of everybody or of one person, also those that were cleared; oldest first."""
        query = "SELECT id, person_id, other_id, body FROM look_alikes WHERE NOT tombstone"
        if person_id is None:
            return [self._opened(*row) for row in self._tables.rows(f"{query} ORDER BY rowid")]
        query += " AND ? IN (person_id, other_id) ORDER BY rowid"
        return [self._opened(*row) for row in self._tables.rows(query, person_id)]

    def others(self) -> Mapping[str, frozenset[str]]:
        """Whom each flagged person looks like, by id; whoever is not in here looks like nobody."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for pair in self.pairs():
            if not pair.likeness.cleared:
                one, other = pair.people
                found[one].add(other)
                found[other].add(one)
        return {person: frozenset(others) for person, others in found.items()}

    def find(self, one: str, other: str) -> Pair | None:
        """What is stored of these two, flagged or cleared."""
        return next((pair for pair in self.pairs(one) if pair.other(one) == other), None)

    def note(self, one: str, other: str, measured: Likeness) -> bool:
        """Keeps what was measured of two people; whether that flags them, who were not flagged before.

        A pair that was cleared stays so, unless it has come nearer, or nobody has measured it in this space.
        """
        with self._tables.transaction():
            known = self.find(one, other)
            if known is None:
                self._add(one, other, measured)
                return True
            before = known.likeness
            if before.space == measured.space and not _is_nearer(measured, before):
                return False
            by = measured.by if before.cleared else before.by
            self._write(known, replace(measured, by=by))
            return bool(before.cleared)

    def mark(self, one: str, other: str) -> None:
        """Flags two people by hand. Raises BadInput when they are one, or flagged already."""
        if one == other:
            raise BadInput("nobody is their own look-alike; name somebody else")
        with self._tables.transaction():
            known = self.find(one, other)
            if known is None:
                self._add(one, other, Likeness("hand"))
            elif not known.likeness.cleared:
                raise BadInput("these two are flagged as look-alikes already")
            else:
                self._write(known, replace(known.likeness, by="hand", cleared=""))

    def clear(self, one: str, other: str, reason: str) -> None:
        """The pair counts no more. Raises BadInput when it is not flagged, or for want of a reason."""
        if not reason.strip() or not reason.isprintable() or len(reason) > MOST_REASON:
            raise BadInput(f"say why in 1 to {MOST_REASON} printable characters: it is kept with the pair")
        with self._tables.transaction():
            known = self.find(one, other)
            if known is None or known.likeness.cleared:
                raise BadInput("these two are not flagged as look-alikes; `faceedge people show` lists who is")
            self._write(known, replace(known.likeness, cleared=reason.strip()))

    def settle(self, person_id: str, space: str, measured: Mapping[str, float]) -> list[str]:
        """After a template has gone: drops pairs of this person that are no longer measured, keeps the scores of the
        rest. measured: the highest score by id of everybody who still looks like them in that space. Whom it was
        dropped for.

        A flag set by hand stays, and a pair that was cleared stays cleared. So does a flag measured in another space,
        and, since a pair remembers one space, any while both have templates of another: it may rest on those.
        """
        dropped = []
        with self._tables.transaction():
            for pair in self.pairs(person_id):
                other, likeness = pair.other(person_id), pair.likeness
                if likeness.by == "hand" or likeness.space != space or likeness.cleared:
                    continue
                if other in measured:
                    self._write(pair, replace(likeness, similarity=measured[other]))
                elif not self._share_another(person_id, other, space):
                    self._erase(pair)
                    dropped.append(other)
        return dropped

    def cells(self, person_id: str) -> list[bytes]:
        """The sealed values of one person as they lie on disk."""
        query = "SELECT body FROM look_alikes WHERE ? IN (person_id, other_id) AND NOT tombstone"
        return [body for (body,) in self._tables.rows(query, person_id)]

    def _share_another(self, one: str, other: str, space: str) -> bool:
        spaces = "SELECT space FROM templates WHERE person_id = ? AND space != ? AND NOT tombstone"
        return bool(self._tables.rows(f"{spaces} INTERSECT {spaces}", one, space, other, space))

    def _opened(self, key: str, one: str, other: str, body: bytes) -> Pair:
        plain = self._tables.vault.open(body, body_context("look_alikes", key, one, other))
        row = unpacked(plain, f"look_alikes/{key}", {"by", "similarity", "space", "cleared"})
        return Pair(key, (one, other), Likeness(**row))

    def _add(self, one: str, other: str, likeness: Likeness) -> None:
        key, (first, second) = str(uuid.uuid4()), sorted((one, other))
        if len(self._tables.rows("SELECT 1 FROM people WHERE id IN (?, ?) AND NOT tombstone", one, other)) != 2:
            raise BadInput("one of these two is no longer in the gallery; list the people again")
        self._tables.run(
            "INSERT INTO look_alikes (id, revision, created, person_id, other_id, body) VALUES (?, ?, ?, ?, ?, ?)",
            key, self._tables.changes(), self._tables.now_s(), first, second,
            self._sealed(Pair(key, (first, second), likeness)),
        )  # fmt: skip

    def _write(self, pair: Pair, likeness: Likeness) -> None:
        self._tables.run(
            "UPDATE look_alikes SET body = ?, revision = ? WHERE id = ?",
            self._sealed(replace(pair, likeness=likeness)), self._tables.changes(), pair.key,
        )  # fmt: skip

    def _erase(self, pair: Pair) -> None:
        self._tables.run(
            "UPDATE look_alikes SET tombstone = 1, body = NULL, revision = ? WHERE id = ?",
            self._tables.changes(), pair.key,
        )  # fmt: skip

    def _sealed(self, pair: Pair) -> bytes:
        return self._tables.vault.seal(
            packed(**asdict(pair.likeness)), body_context("look_alikes", pair.key, *pair.people)
        )


def named(pairs: list[Pair], person_id: str, people: Mapping[str, Person]) -> list[tuple[Person, Likeness]]:
    """Who the others of a person's pairs are, nearest first, those set by hand before all."""
    found = [(people[pair.other(person_id)], pair.likeness) for pair in pairs if pair.other(person_id) in people]
    return sorted(found, key=lambda item: -(2.0 if item[1].similarity is None else item[1].similarity))


def _is_nearer(measured: Likeness, before: Likeness) -> bool:
    return before.similarity is None or (measured.similarity or -1.0) > before.similarity
