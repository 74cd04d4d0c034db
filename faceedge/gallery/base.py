"""What a gallery holds and what it can be asked: the one interface behind which any database may stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from faceedge.rules.book import Book
from faceedge.types import Floats, Image, Template


@dataclass(frozen=True, slots=True)
class Person:
    """id: uuid4. created: unix seconds. templates: how many there are, over all spaces."""

    id: str
    name: str
    created: int
    templates: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a template came from. quality: 0..1. source: in words, such as a file name. build: of the recogniser."""

    quality: float
    source: str
    build: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored template without its numbers. created: unix seconds. crop: whether the aligned crop was kept."""

    id: str
    created: int
    space: str
    dimension: int
    crop: bool
    origin: Origin


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Every template of one space, a row each.

    persons: ids. embeddings: float32 (n, d), unit norm. norms: float32 (n,), length before normalisation.
    """

    persons: tuple[str, ...]
    embeddings: Floats
    norms: Floats
    space: str


Finder = Literal["enrolment", "import", "audit", "hand"]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far two people look alike. similarity: raw, of their two nearest templates in `space`; None where nobody has
    measured it. by: who flagged the pair. cleared: why it counts no more, in the words of an operator; empty while it
    counts."""

    by: Finder
    similarity: float | None = None
    space: str = ""
    cleared: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people by id, the smaller first; `key`: of the row."""

    key: str
    people: tuple[str, str]
    likeness: Likeness

    def other(self, person_id: str) -> str:
        """The id of the other one."""
        return self.people[self.people[0] == person_id]


@dataclass(frozen=True, slots=True)
class Levels:
    """Raw scores from which two people look alike. match: of any two of their templates; grey: the mean of them all."""

    grey: float
    match: float

    def reach(self, others: Levels) -> bool:
        """Whether whoever looks alike by the others does so by these."""
        return self.grey <= others.grey and self.match <= others.match


class LookAlikes(Protocol):
    """Which people of a store look alike, as far as jobs need it. Raises StoreError as the store does."""

    def pairs(self, person_id: str | None = None) -> list[Pair]:
        """Of everybody or of one person, also those that were cleared; oldest first."""
        ...

    def note(self, one: str, other: str, measured: Likeness) -> bool:
        """Keeps what was measured of two people; whether that flags them, who were not flagged before."""
        ...

    def settle(self, person_id: str, space: str, measured: Mapping[str, float]) -> list[str]:
        """After a template has gone: drops pairs of this person that are no longer measured. For whom it was."""
        ...


class ComparedSpaces(Protocol):
    """Whether all who look alike are flagged, space by space. Raises StoreError as the store does."""

    def reaches(self, space: str, levels: Levels) -> bool:
        """Whether everybody with templates of a space has been compared, at these scores or lower ones."""
        ...

    def wanted(self, space: str) -> Levels | None:
        """The scores at which everybody was compared last; whoever comes is to be compared at these, too."""
        ...

    def note(self, space: str, levels: Levels, until: int) -> None:
        """Everybody who was there when `changes` was `until` has been compared."""
        ...

    def extend(self, space: str, levels: Levels) -> None:
        """So has whoever this transaction has brought; a gallery that was empty before begins so."""
        ...


class PeopleStore(Protocol):
    """People and their templates. Raises StoreError when the store cannot be used, BadInput on a wrong argument."""

    @property
    def alike(self) -> LookAlikes:
        """The look-alikes among the people."""
        ...

    @property
    def compared(self) -> ComparedSpaces:
        """Whether these are all of them."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Everything written in the block is kept, or nothing is; nobody else writes meanwhile."""
        ...

    def add_person(self, name: str) -> Person:
        """A new person. The name is refused when somebody bears it already."""
        ...

    def find(self, name_or_id: str) -> Person | None:
        """The person with exactly this name or id."""
        ...

    def people(self) -> list[Person]:
        """Everybody, by name."""
        ...

    def rename(self, person: Person, name: str) -> Person:
        """The same person under another name."""
        ...

    def remove(self, person: Person) -> int:
        """Erases name and templates, of which it returns the number; a tombstone without content stays."""
        ...

    def add_template(self, person_id: str, template: Template, origin: Origin, crop: Image | None = None) -> str:
        """Stores one more template and returns its id. crop: uint8 (h, w, 3) BGR, the recogniser's input."""
        ...

    def entries(self, person_id: str) -> list[Entry]:
        """What is stored of one person, oldest first."""
        ...

    def templates(self, space: str, persons: Collection[str] | None = None) -> Templates:
        """Everything to search in, or only the rows of these persons (ids)."""
        ...

    def touched(self, space: str, since: int) -> Collection[str]:
        """The persons (ids) whose templates of a space came or went after `changes` was `since`."""
        ...

    def book(self) -> Book:
        """Who may pass where and when, by id."""
        ...

    def changes(self) -> int:
        """Rises with every change, by whichever process. Asked before `templates`, it says when to reload."""
        ...

    def close(self) -> None:
        """Lets go of the database."""
        ...


class Search(Protocol):
    """Who is nearest: what `gallery.search.Index` answers here, and an engine of a fleet may answer instead.

    It never changes, so that each question is answered from one gallery as a whole, by any number of threads at once.
    One is made by a `BuildSearch`, and of a changed gallery by `replaced`.
    """

    def __len__(self) -> int:
        """How many templates there are."""
        ...

    def nearest(self, template: Template, count: int | None = None) -> list[tuple[str, float]]:
        """The `count` nearest persons (ids; all without it) and scores, nearest first, each by its best template.

        Exact: scores are those of `gallery.search.similarity`. Raises FaceedgeError when the template is of another
        space.
        """
        ...

    def nearest_of_each(self, templates: Sequence[Template], count: int | None = None) -> list[list[tuple[str, float]]]:
        """The same for many templates at once."""
        ...

    def replaced(self, persons: Collection[str], templates: Templates) -> Search:
        """Another one, in which these persons (ids) have just these templates, and are gone without any."""
        ...


BuildSearch = Callable[[Templates, str], Search]
"""Makes the search of a gallery's templates, of which there may be none, by a metric (`cosine`, `euclidean`). Raises
FaceedgeError when a template is no vector of about unit length."""
