"""Pictures of people whom only the recogniser before knows, kept until somebody says that it was them.

Sealed as templates are and never used by themselves: `jobs/approving.py` makes templates of them when that is ordered.
At most `MOST` of a person, the newest, for `DAYS`; gone with the person, and when they were used.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from faceedge.gallery import rows
from faceedge.gallery.captured import DAY_S
from faceedge.gallery.tables import Tables
from faceedge.types import Image

MOST = 5
DAYS = 30


@dataclass(frozen=True, slots=True)
class Sighting:
    """One picture without its pixels. created: unix seconds of the midnight before. quality: 0..1."""

    id: str
    person: str
    created: int
    quality: float

    @property
    def day(self) -> str:
        """As `2026-12-31`."""
        return time.strftime("%Y-%m-%d", time.gmtime(self.created))


class Sightings:
    """The table of sightings of one gallery. Raises StoreError when it cannot be used."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, person_id: str) -> list[Sighting]:
        """Of one person, oldest first."""
        return [one for one in self.all() if one.person == person_id]

    def all(self) -> list[Sighting]:
        """Of everybody, oldest first."""
        found = self._tables.rows("SELECT id, person_id, created, quality FROM sightings ORDER BY rowid")
        return [Sighting(*row) for row in found]

    def crop(self, one: Sighting) -> Image | None:
        """uint8 (h, w, 3) BGR, or None when it has gone meanwhile."""
        with self._tables.snapshot():
            found = self._tables.rows("SELECT crop FROM sightings WHERE id = ?", one.id)
            if not found:
                return None
            return rows.png_to_crop(self._tables.vault.open(found[0][0], rows.sighting_context(one.id, one.person)))

    def add(self, person_id: str, crop: Image, quality: float, now_s: float) -> bool:
        """Keeps one, in the place of the person's oldest where there are `MOST`; False when the person has gone."""
        key, day = str(uuid.uuid4()), int(now_s) - int(now_s) % DAY_S
        png = rows.crop_to_png(crop)
        with self._tables.transaction(is_news=False):
            sealed = self._tables.vault.seal(png, rows.sighting_context(key, person_id))
            added = self._tables.run(
                "INSERT INTO sightings (id, person_id, created, quality, crop) SELECT ?, ?, ?, ?, ?"
                " WHERE EXISTS (SELECT 1 FROM people WHERE id = ? AND NOT tombstone)",
                key, person_id, day, quality, sealed, person_id,
            )  # fmt: skip
            self._tables.run(
                "DELETE FROM sightings WHERE person_id = ? AND id NOT IN"
                " (SELECT id FROM sightings WHERE person_id = ? ORDER BY rowid DESC LIMIT ?)",
                person_id, person_id, MOST,
            )  # fmt: skip
        return bool(added)

    def erase(self, person_id: str) -> int:
        """Erases those of a person; how many."""
        with self._tables.transaction(is_news=False):
            return self._tables.run("DELETE FROM sightings WHERE person_id = ?", person_id)

    def expire(self, now_s: float) -> int:
        """Erases what is older than `DAYS`, or from the future, as after a clock went wrong; how many."""
        with self._tables.transaction(is_news=False):
            return self._tables.run(
                "DELETE FROM sightings WHERE created < ? OR created > ?", now_s - DAYS * DAY_S, now_s + DAY_S
            )

    def cells(self, person_id: str) -> list[bytes]:
        """The sealed values of a person as they lie on disk."""
        return [cell for (cell,) in self._tables.rows("SELECT crop FROM sightings WHERE person_id = ?", person_id)]
