"""Of a gallery only those people whom one recogniser does not know yet, for another one that knows them still."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from faceedge.gallery.base import ComparedSpaces, Followed, Templates
from faceedge.gallery.store import Gallery
from faceedge.rules.book import Book


class Remaining(Followed):
    """A gallery without the templates of people who have one in the space `known`. As soon as somebody has one, an
    older recogniser has no say about them any more."""

    def __init__(self, gallery: Gallery, known: str) -> None:
        self._gallery = gallery
        self._known = known

    @property
    def compared(self) -> ComparedSpaces:
        """That of the gallery."""
        return self._gallery.compared

    def templates(self, space: str, persons: Collection[str] | None = None) -> Templates:
        """See `PeopleStore.templates`; of one moment."""
        with self._gallery.snapshot():
            known = self._gallery.owners(self._known)
            found = self._gallery.templates(space, persons)
        rows = np.array([at for at, person in enumerate(found.persons) if person not in known], np.intp)
        people = tuple(found.persons[at] for at in rows)
        return Templates(people, found.embeddings[rows], found.norms[rows], space)

    def touched(self, space: str, since: int) -> Collection[str]:
        """Also who became known to the other recogniser, or is so no more."""
        return self._gallery.touched(space, since) | self._gallery.touched(self._known, since)

    def book(self) -> Book:
        """See `PeopleStore.book`."""
        return self._gallery.book()

    def changes(self) -> int:
        """See `PeopleStore.changes`."""
        return self._gallery.changes()
