"""Crops kept for a calibration: sealed as templates are, one row each, erased with the person or with age.

Which ones are kept is decided elsewhere (`jobs.strata`). What lies beside a crop in the clear tells neither an hour nor
a name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from faceedge.gallery import rows
from faceedge.gallery.tables import Tables
from faceedge.types import Image

DAY_S = 86_400
_COLUMNS = "id, person_id, created, alignment, build, quality, light, rank"


@dataclass(frozen=True, slots=True)
class Kept:
    """One crop without its picture.

    person: id, None for a stranger and for nobody in particular. created: unix seconds of the midnight before.
    alignment, build: of the recogniser that it was cut for. light: mean grey level, 0..255. rank: 0..1, drawn once; of
    crops alike in everything else the lowest goes first.
    """

    id: str
    person: str | None
    created: int
    alignment: str
    build: str
    quality: float
    light: float
    rank: float


class Captured:
    """The table of captured crops of one gallery. Raises StoreError when it cannot be used."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def kept(self) -> list[Kept]:
        """All of them, oldest first."""
        return [Kept(*row) for row in self._tables.rows(f"SELECT {_COLUMNS} FROM captures ORDER BY rowid")]  # noqa: S608, constants

    def png(self, one: Kept) -> bytes | None:
        """The picture (lossless), or None when it has gone meanwhile."""
        with self._tables.snapshot():
            found = self._tables.rows("SELECT crop FROM captures WHERE id = ?", one.id)
            context = rows.capture_context(one.id, one.person, one.alignment)
            return self._tables.vault.open(found[0][0], context) if found else None

    def change(self, added: Iterable[tuple[Kept, Image]], dropped: Collection[str]) -> int:
        """Erases rows by id and stores others, in one transaction; how many were stored.

        A crop of somebody who was removed while it was on its way is left out. Nobody reloads the gallery for it.
        """
        pictures = [(one, rows.crop_to_png(crop)) for one, crop in added]
        with self._tables.transaction(is_news=False):
            for key in dropped:
                self._tables.run("DELETE FROM captures WHERE id = ?", key)
            return sum(self._add(one, png) for one, png in pictures)

    def expire(self, now_s: float, days: int) -> int:
        """Erases what is older than so many days, or from the future, as after a clock went wrong; how many."""
        with self._tables.transaction(is_news=False):
            return self._tables.run(
                "DELETE FROM captures WHERE created < ? OR created > ?", now_s - days * DAY_S, now_s + DAY_S
            )

    def erase(self) -> int:
        """Erases all of them and returns how many there were. `Gallery.vacuum` then makes the file smaller."""
        with self._tables.transaction(is_news=False):
            return self._tables.run("DELETE FROM captures")

    def empty_log(self) -> None:
        """See `Tables.empty_log`: until then the log may hold, sealed, what was erased."""
        self._tables.empty_log()

    def of(self, person_id: str) -> list[Kept]:
        """The crops of one person."""
        return [one for one in self.kept() if one.person == person_id]

    def cells(self, one: Kept) -> list[bytes]:
        """The sealed values of a crop as they lie on disk."""
        return [cell for (cell,) in self._tables.rows("SELECT crop FROM captures WHERE id = ?", one.id)]

    def _add(self, one: Kept, png: bytes) -> int:
        sealed = self._tables.vault.seal(png, rows.capture_context(one.id, one.person, one.alignment))
        return self._tables.run(
            f"INSERT INTO captures ({_COLUMNS}, crop) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?"  # noqa: S608, constants
            " WHERE ? IS NULL OR EXISTS (SELECT 1 FROM people WHERE id = ? AND NOT tombstone)",
            one.id, one.person, one.created, one.alignment, one.build, one.quality, one.light, one.rank, sealed,
            one.person, one.person,
        )  # fmt: skip
