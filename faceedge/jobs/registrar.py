"""Who is meant and what was kept of them in, a person in the gallery out; or why not, in words that name nobody.

For enrolments that are ordered from afar. Opens the gallery in the thread that asks, and closes it there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from faceedge.errors import FaceedgeError, StoreError
from faceedge.gallery.rows import clean_name
from faceedge.gallery.store import Gallery
from faceedge.jobs.burst import Kept
from faceedge.jobs.enroll import Enrolled, Eyes, NotEnrolled, Sitting, Wish, admit

log = logging.getLogger(__name__)

NOBODY, KNOWN = "nobody of the gallery has this id", "somebody of the gallery has this name; give their id as person"
ONE_OF_TWO = "give either a name, for somebody new, or the id of a person"
NO_NAME = "name: is no name; use 1 to 100 printable characters without spaces at the ends"
UNREADABLE = "the gallery cannot be used; see the log"
FAULT = "internal fault; see the log"


@dataclass(frozen=True, slots=True)
class Meant:
    """Somebody of the gallery by id (`person`), or somebody new by `name`."""

    person: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Registrar:
    """eyes: of the recogniser that makes the templates."""

    eyes: Eyes
    open_gallery: Callable[[], AbstractContextManager[Gallery]]

    def objection(self, meant: Meant) -> str:
        """Why these cannot be enrolled now, or nothing."""
        if bool(meant.person) == bool(meant.name):
            return ONE_OF_TWO
        return self._plainly(lambda gallery: _name(gallery, meant))

    def enrol(self, meant: Meant, kept: Sequence[Kept]) -> Enrolled | str:
        """Stores the shots in one transaction. Refuses what `faceedge enroll` refuses."""
        sittings = [Sitting(Path(f"shot {number}"), shot.portrait) for number, shot in enumerate(kept, start=1)]
        enrolled: list[Enrolled] = []

        def store(gallery: Gallery) -> None:
            with gallery.transaction():
                enrolled.append(admit(gallery, self.eyes, Wish(_name(gallery, meant)), sittings))

        return self._plainly(store) or enrolled[0]

    def _plainly(self, work: Callable[[Gallery], object]) -> str:
        """Why it failed, or nothing. Texts of errors may hold names and are not passed on."""
        try:
            with self.open_gallery() as gallery:
                work(gallery)
        except NotEnrolled as error:
            return error.plain
        except StoreError as error:
            log.error("enrolment: %s", error)
            return UNREADABLE
        except Exception as error:
            log.error("enrolment: %s", type(error).__name__, exc_info=not isinstance(error, FaceedgeError))
            return FAULT
        return ""


def _name(gallery: Gallery, meant: Meant) -> str:
    """Under which they are enrolled. Raises NotEnrolled: an id of nobody, a name of somebody, no name at all."""
    if meant.person:
        found = gallery.find(meant.person)
        if found is None or found.id != meant.person:
            raise NotEnrolled(NOBODY, NOBODY)
        return found.name
    try:
        name = clean_name(meant.name)
    except FaceedgeError:
        raise NotEnrolled(NO_NAME, NO_NAME) from None
    if gallery.find(name) is not None:
        raise NotEnrolled(KNOWN, KNOWN)
    return name
