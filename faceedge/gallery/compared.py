"""Down to which scores everybody of a gallery has been compared with everybody, so that who looks like whom is known.

What this device has done, and nothing about people: sealed like the rest, never mirrored. Whoever came in another way,
as by a version of faceedge that keeps no such record, is noticed by the change that brought them.
"""

from __future__ import annotations

from faceedge.gallery.access_rows import body_context, packed, unpacked
from faceedge.gallery.base import Levels
from faceedge.gallery.tables import Tables


class Compared:
    """A `ComparedSpaces` in the tables of one gallery. Raises StoreError when a row does not hold."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def reaches(self, space: str, levels: Levels) -> bool:
        """Whether everybody with templates of a space has been compared, at these scores or lower ones."""
        with self._tables.snapshot():
            known = self._known(space)
            if known is None:
                return not self._has(space)
            return known[0].reach(levels) and not self._has(space, after=known[1])

    def wanted(self, space: str) -> Levels | None:
        """The scores at which everybody was compared last; whoever comes is to be compared at these, too."""
        known = self._known(space)
        return known[0] if known is not None else None

    def note(self, space: str, levels: Levels, until: int) -> None:
        """Everybody who was there when `changes` was `until` has been compared."""
        with self._tables.transaction():
            body = packed(grey=levels.grey, match=levels.match, until=until)
            sealed = self._tables.vault.seal(body, body_context("compared", space))
            self._tables.run("INSERT OR REPLACE INTO compared (id, body) VALUES (?, ?)", space, sealed)

    def extend(self, space: str, levels: Levels) -> None:
        """So has whoever this transaction has brought; a gallery that was empty before begins so."""
        with self._tables.transaction():
            now, known = self._tables.changes(), self._known(space)
            reached, until = known if known is not None else (levels, 0)
            if levels.reach(reached) and not self._has(space, after=until, before=now):
                self.note(space, reached, now)

    def _known(self, space: str) -> tuple[Levels, int] | None:
        for (body,) in self._tables.rows("SELECT body FROM compared WHERE id = ?", space):
            plain = self._tables.vault.open(body, body_context("compared", space))
            row = unpacked(plain, f"compared/{space}", {"grey", "match", "until"})
            return Levels(row["grey"], row["match"]), row["until"]
        return None

    def _has(self, space: str, after: int = 0, before: int = 1 << 62) -> bool:
        query = (
            "SELECT 1 FROM templates WHERE revision > ? AND revision < ? AND +space = ? AND NOT tombstone"
            " ORDER BY revision LIMIT 1"
        )
        return bool(self._tables.rows(query, after, before, space))
