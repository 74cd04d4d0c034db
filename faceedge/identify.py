"""Template in, Match out: who of the gallery is nearest, and by how much."""

from __future__ import annotations

import math

from faceedge.gallery.base import Search
from faceedge.types import Match, Template


class Identifier:
    """Asks an index, which may be replaced while others ask: each question sees one index as a whole."""

    def __init__(self, index: Search) -> None:
        self._index = index

    def replace(self, index: Search) -> None:
        """The next question is answered from `index`. Safe from any thread: one reference changes."""
        self._index = index

    def identify(self, template: Template) -> Match:
        """The nearest person and the margin to the second (none: infinite); nobody at -1 when the gallery is empty.

        Raises FaceedgeError when the spaces differ."""
        nearest = self._index.nearest(template, count=2)
        if not nearest:
            return Match(None, -1.0, math.inf)
        (person, similarity), *rest = nearest
        return Match(person, similarity, similarity - rest[0][1] if rest else math.inf)
