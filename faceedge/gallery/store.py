"""The gallery of one device: people and templates in SQLite, everything that tells who they are sealed.

Any number of processes may have it open; one `Gallery` belongs to one thread. Times are unix seconds.
"""

from __future__ import annotations

import time
import unicodedata
import uuid
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from faceedge.errors import BadInput
from faceedge.gallery import bulk, rows
from faceedge.gallery.access import Access
from faceedge.gallery.alike import Alike
from faceedge.gallery.base import Entry, Origin, Person, Templates
from faceedge.gallery.captured import Captured
from faceedge.gallery.compared import Compared
from faceedge.gallery.sightings import Sightings
from faceedge.gallery.tables import Tables
from faceedge.rules.book import Book
from faceedge.types import Image, Template

PEOPLE = (
    "SELECT id, name, created, (SELECT count(*) FROM templates WHERE person_id = people.id AND NOT tombstone)"
    " FROM people WHERE NOT tombstone"
)

ERASE = "UPDATE templates SET tombstone = 1, revision = ?, quality = NULL, source = NULL, vector = NULL, crop = NULL"


class Gallery:
    """A `PeopleStore` on `<state>/gallery.db`. Close it, or use it in a `with` block."""

    def __init__(self, tables: Tables) -> None:
        # Moments and transactions are those of the tables below; the rest of this class is people and templates.
        self.path = tables.path
        self.vault = tables.vault
        self.transaction = tables.transaction
        self.changes = tables.changes
        self.empty_log = tables.empty_log
        self.close = tables.close
        self.access = Access(tables)
        self.alike = Alike(tables)
        self.compared = Compared(tables)
        self.captured = Captured(tables)
        self.sightings = Sightings(tables)
        self._tables = tables

    @classmethod
    def open(cls, state: Path, clock: Callable[[], float] = time.time) -> Gallery:
        """Opens the gallery of a state directory, or makes an empty one with a device key.

        Raises StoreError: folder not usable, database damaged or of a later version, key missing, wrong or readable
        by others.
        """
        return cls(Tables.open(state, clock))

    def wait_at_most(self, seconds: float) -> None:
        """For whoever has the database just now; then it cannot be used, and StoreError says so."""
        self._tables.run(f"PRAGMA busy_timeout={round(1000 * seconds)}")

    def add_person(self, name: str, key: str | None = None, created: int | None = None) -> Person:
        """A new person. Raises BadInput for a name that is taken, empty, too long, or not printable.

        key, created: id and unix seconds of somebody who comes from another gallery; the id must never have been here.
        """
        with self.transaction():
            created = self._tables.now_s() if created is None else created
            person = Person(key or str(uuid.uuid4()), self._free(name), created)
            self._tables.run(
                "INSERT INTO people (name, name_tag, revision, id, created) VALUES (?, ?, ?, ?, ?)",
                *self._sealed_name(person), self.changes(), person.id, person.created,
            )  # fmt: skip
        return person

    def find(self, name_or_id: str) -> Person | None:
        """The person with exactly this name or id."""
        with self._tables.snapshot():
            tag = self.vault.tag(unicodedata.normalize("NFC", name_or_id))
            return next(iter(self._select_people(f"{PEOPLE} AND (id = ? OR name_tag = ?)", name_or_id, tag)), None)

    def people(self) -> list[Person]:
        """Everybody, by name."""
        return sorted(self._select_people(PEOPLE), key=lambda person: person.name)

    def rename(self, person: Person, name: str) -> Person:
        """The same person under another name. Raises BadInput as `add_person` does, and when the person is gone."""
        with self.transaction():
            renamed = replace(person, name=name if name == person.name else self._free(name))
            self._change("name = ?, name_tag = ?", person, *self._sealed_name(renamed))
        return renamed

    def remove(self, person: Person) -> int:
        """Erases name and templates and returns how many templates there were; a tombstone without content stays.

        Captured crops, theirs and those of strangers, sightings, and pairs of look-alikes go by triggers of the schema.
        The freed pages are overwritten and the write-ahead log is emptied. Raises BadInput when the person is gone.
        """
        with self.transaction():
            erased = self._tables.run(
                f"{ERASE} WHERE person_id = ? AND NOT tombstone",
                self.changes(),
                person.id,
            )
            self._change("tombstone = 1, name = ?, name_tag = ?", person, None, None)
            self.access.forget(person.id)
        self.empty_log()
        return erased

    def add_template(
        self, person_id: str, template: Template, origin: Origin, crop: Image | None = None,
        key: str | None = None, created: int | None = None,
    ) -> str:  # fmt: skip
        """Stores one more template and returns its id. crop: uint8 (h, w, 3) BGR, the recogniser's input.

        key, created: as for `add_person`. Raises BadInput when the person is gone or the template is not a finite unit
        vector.
        """
        key = key or str(uuid.uuid4())
        created = self._tables.now_s() if created is None else created

        def seal(column: str, plain: bytes) -> bytes:
            return self.vault.seal(plain, rows.template_context(key, column, person_id, template.space))

        with self.transaction():
            if not self._tables.rows("SELECT 1 FROM people WHERE id = ? AND NOT tombstone", person_id):
                raise BadInput(f"no person {person_id} in the gallery; enrol the person first")
            self._tables.run(
                "INSERT INTO templates (id, person_id, revision, created, space, build, dimension, quality, source,"
                " vector, crop) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                key, person_id, self.changes(), created, template.space, origin.build,
                len(template.embedding), origin.quality, seal("source", origin.source.encode()),
                seal("vector", rows.pack(template)), None if crop is None else seal("crop", rows.crop_to_png(crop)),
            )  # fmt: skip
        return key

    def remove_template(self, person_id: str, key: str) -> None:
        """Erases one template, its picture, and what was made of the same picture for other recognisers; tombstones
        without content stay. The freed pages are overwritten and the log is emptied. Raises BadInput when it is gone,
        or the person's last one of its space."""
        with self.transaction():
            spaces = {entry.id: entry.space for entry in self.entries(person_id)}
            if key not in spaces:
                raise BadInput(f"template {key[:8]} is no longer in the gallery; look again")
            if list(spaces.values()).count(spaces[key]) == 1:
                raise BadInput("it is the last template of the person; enrol better photos first, or remove the person")
            for one in rows.of_one_picture(key, spaces):
                self._tables.run(f"{ERASE} WHERE id = ?", self.changes(), one)
        self.empty_log()

    def entries(self, person_id: str) -> list[Entry]:
        """What is stored of one person, oldest first."""
        found = self._tables.rows(
            "SELECT id, created, space, dimension, crop IS NOT NULL, quality, build, source FROM templates"
            " WHERE person_id = ? AND NOT tombstone ORDER BY revision, rowid",
            person_id,
        )
        entries = []
        for key, created, space, dimension, has_crop, quality, build, sealed in found:
            source = self.vault.open(sealed, rows.template_context(key, "source", person_id, space)).decode("utf-8")
            entries.append(Entry(key, created, space, dimension, bool(has_crop), Origin(quality, source, build)))
        return entries

    def templates(self, space: str, persons: Collection[str] | None = None) -> Templates:
        """Everything to search in, or only the rows of these persons (ids)."""
        return bulk.read(self._tables, space, persons)

    def owners(self, space: str) -> frozenset[str]:
        """The persons (ids) who have a template of a space."""
        found = self._tables.rows("SELECT DISTINCT person_id FROM templates WHERE space = ? AND NOT tombstone", space)
        return frozenset(person for (person,) in found)

    def touched(self, space: str, since: int) -> frozenset[str]:
        """The persons (ids) whose templates of a space came or went after `changes` was `since`."""
        return bulk.touched(self._tables, space, since)

    def portfolio(self, person_id: str) -> list[tuple[Entry, Template]]:
        """What is stored of one person with its numbers, over all spaces, oldest first."""
        found = dict(
            self._tables.rows("SELECT id, vector FROM templates WHERE person_id = ? AND NOT tombstone", person_id)
        )
        portfolio = []
        for entry in self.entries(person_id):
            if entry.id in found:
                context = rows.template_context(entry.id, "vector", person_id, entry.space)
                norms, vectors = rows.unpack([self.vault.open(found[entry.id], context)])
                portfolio.append((entry, Template(vectors[0], float(norms[0]), entry.space)))
        return portfolio

    def sealed_cells(self, person_id: str) -> list[bytes]:
        """Every sealed value of one person, as it lies on disk."""
        queries = (
            "SELECT name, name_tag, standing FROM people WHERE id = ?",
            "SELECT source, vector, crop FROM templates WHERE person_id = ?",
            "SELECT proof FROM memberships WHERE person_id = ?",
        )
        found = [row for query in queries for row in self._tables.rows(query, person_id)]
        beside = [*self.alike.cells(person_id), *self.sightings.cells(person_id)]
        return [cell for row in found for cell in row if cell is not None] + beside

    def was_here(self, key: str) -> bool:
        """Whether an id is, or was, of somebody or something of this gallery."""
        query = "SELECT 1 FROM people WHERE id = ? UNION SELECT 1 FROM templates WHERE id = ?"
        return bool(self._tables.rows(query, key, key))

    def crop(self, person_id: str, entry: Entry) -> Image | None:
        """The aligned crop that was kept with a template, uint8 (h, w, 3) BGR."""
        found = self._tables.rows("SELECT crop FROM templates WHERE id = ? AND crop IS NOT NULL", entry.id)
        context = rows.template_context(entry.id, "crop", person_id, entry.space)
        return rows.png_to_crop(self.vault.open(found[0][0], context)) if found else None

    def spaces(self) -> frozenset[str]:
        """Those in which somebody has a template."""
        return frozenset(
            space for (space,) in self._tables.rows("SELECT DISTINCT space FROM templates WHERE NOT tombstone")
        )

    def book(self) -> Book:
        """Who may pass where and when, and who looks like whom, by id. Raises StoreError when a row does not hold."""
        with self._tables.snapshot():
            return replace(self.access.book(), look_alikes=self.alike.others())

    def vacuum(self) -> None:
        """Rebuilds the file from what is alive: it shrinks, and no page keeps a copy of a value that was moved."""
        self._tables.run("VACUUM")
        self.empty_log()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _select_people(self, query: str, *values: object) -> list[Person]:
        return [
            Person(key, self.vault.open(name, rows.name_context(key)).decode("utf-8"), created, templates)
            for key, name, created, templates in self._tables.rows(query, *values)
        ]

    def _sealed_name(self, person: Person) -> tuple[bytes, bytes]:
        return self.vault.seal(person.name.encode(), rows.name_context(person.id)), self.vault.tag(person.name)

    def _free(self, name: str) -> str:
        name = rows.clean_name(name)
        if self.find(name) is not None:
            raise BadInput(f"{name!r} is in the gallery already; choose another name")
        return name

    def _change(self, columns: str, person: Person, name: bytes | None, tag: bytes | None) -> None:
        statement = f"UPDATE people SET {columns}, revision = ? WHERE id = ? AND NOT tombstone"  # noqa: S608, constants
        if self._tables.run(statement, name, tag, self.changes(), person.id) != 1:
            raise BadInput(f"{person.name!r} is no longer in the gallery; list the people again")
