"""The gallery as a running daemon knows it: people and rules, loaded once, followed while they change."""

from __future__ import annotations

import logging

import numpy as np

from faceedge.errors import FaceedgeError
from faceedge.gallery.base import BuildSearch, Levels, PeopleStore, Search, Templates
from faceedge.gallery.search import Index
from faceedge.identify import Identifier
from faceedge.rules.book import Book

log = logging.getLogger(__name__)

RELOADED = 20_000
"""Templates up to which a changed gallery is loaded whole, so that every row proves itself again: 0.2 s, or less."""
UNREADABLE = -1
"""In place of the change counter of a gallery that could not be read."""
NOT_COMPARED = (
    "who looks like whom is not known: people were enrolled before it was asked, or thresholds are looser than then. "
    'Doors with look_alikes = "review" ask everybody for a second factor until faceedge gallery audit --flag has run'
)


class Roster:
    """Keeps `identifier` and `book` in step with a gallery. One thread calls it, any thread asks these two.

    book: the rules, None while they cannot be read. build: makes the search; another engine may stand in for `Index`.
    space: of its templates. like: one of the same gallery, whose search is taken over where it is of the same space.

    Raises FaceedgeError when the gallery cannot be read at the start.
    """

    def __init__(
        self, gallery: PeopleStore, metric: str, space: str, build: BuildSearch = Index.of, like: Roster | None = None
    ) -> None:  # fmt: skip
        self._gallery = gallery
        self._metric = metric
        self.space = space
        self._build = build
        self._demanded: Levels | None = None
        self._is_compared = True
        self.elder: Roster | None = None
        """Of the recogniser before, where that speaks for whom this one does not know; any thread may set it."""
        self._people: frozenset[str] = frozenset()
        self._known: tuple[int, Search] = self._taken_over(like) or (gallery.changes(), self._load())
        self.book: Book | None = gallery.book()
        self.identifier = Identifier(self._known[1])

    def hand_to(self, gallery: PeopleStore) -> None:
        """From now on it is followed through this connection, by the thread that this one belongs to."""
        self._gallery = gallery

    def looks_alike(self, person: str) -> bool:
        """Whether somebody is flagged as looking like somebody else. While that is not known, everybody is; of whom
        only the elder knows, it must be known there."""
        book, elder = self.book, self.elder
        if book is None or not self._is_compared or person in book.look_alikes:
            return True
        return elder is not None and not self.knows(person) and elder.looks_alike(person)

    def knows(self, person: str) -> bool:
        """Whether somebody (id) has a template in this space; of a gallery that cannot be read any more, whether they
        had."""
        return person in self._people

    def covers(self, other: Roster) -> bool:
        """Whether it knows everybody whom the other one knows, who may be of another space."""
        return other._people <= self._people

    def demand(self, levels: Levels | None) -> None:
        """By which scores doors want to know who looks like whom; None when none asks. Raises StoreError."""
        self._demanded = levels
        self._is_compared = self._reaches()

    @property
    def notices(self) -> tuple[str, ...]:
        """What somebody should bring to an end."""
        return () if self._is_compared else (NOT_COMPARED,)

    def follow(self) -> None:
        """Loads what has changed. A gallery that cannot be read knows nobody: the door stays shut."""
        try:
            seen = self._gallery.changes()
            if seen == self._known[0]:
                return
            index = self._changed()
            # Read after the templates: whoever can be found is known with all that is said of them, as flags.
            self.book = self._gallery.book()
            was_compared, self._is_compared = self._is_compared, self._reaches()
            self._known = seen, index
            self.identifier.replace(index)
            log.info("gallery reloaded")
            if was_compared and not self._is_compared:
                log.warning("%s", NOT_COMPARED)
        except FaceedgeError as error:
            if self._known[0] != UNREADABLE:
                log.error("%s; nobody is let in until it can be read", error)
            self._known = UNREADABLE, self._known[1]
            self.book = None
            self.identifier.replace(self._nobody())

    def _taken_over(self, like: Roster | None) -> tuple[int, Search] | None:
        """Up to which change, and the search."""
        if like is None or (like._metric, like.space) != (self._metric, self.space):
            return None
        known = like._known
        if known[0] == UNREADABLE:
            return None
        self._people = like._people  # after `_known`, as it is followed: too new is put right, too old never
        return known

    def _reaches(self) -> bool:
        return self._demanded is None or self._gallery.compared.reaches(self.space, self._demanded)

    def _changed(self) -> Search:
        """Of a large gallery only those whose templates came or went; who asks meanwhile is answered as before."""
        seen, index = self._known
        if seen == UNREADABLE or len(index) <= RELOADED:
            return self._load()
        persons = self._gallery.touched(self.space, seen)
        templates = self._gallery.templates(self.space, persons)
        self._people = self._people.difference(persons).union(templates.persons)
        return index.replaced(persons, templates)

    def _load(self) -> Search:
        templates = self._gallery.templates(self.space)
        self._people = frozenset(templates.persons)
        index = self._build(templates, self._metric)
        if not len(index):
            log.warning("nobody is enrolled for these models: the door opens for nobody; see faceedge enroll --help")
        return index

    def _nobody(self) -> Search:
        none = Templates((), np.zeros((0, 1), np.float32), np.zeros(0, np.float32), self.space)
        return self._build(none, self._metric)
