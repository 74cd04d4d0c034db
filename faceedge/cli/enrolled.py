"""How an enrolment is told: as JSON, as text, and as a contact sheet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faceedge.cli import opening
from faceedge.jobs.contact import MOST, ContactSheet
from faceedge.jobs.drawing import check_target
from faceedge.jobs.enroll import Enrolled, LookAlike
from faceedge.jobs.photos import shown

MOST_NAMED = 5


def document(enrolled: Enrolled) -> dict[str, Any]:
    """The JSON of one person."""
    person = enrolled.person
    photos = [
        {"path": str(photo.path), "quality": photo.quality, "reasons": list(photo.reasons), "added": photo.added}
        for photo in enrolled.photos
    ]
    named = [
        {"name": other.person.name, "similarity": other.similarity, "flagged": other.flagged}
        for other in enrolled.look_alikes
    ]
    one = {"id": person.id, "name": person.name, "templates": person.templates}
    return {"person": one, "new": enrolled.is_new, "photos": photos, "look_alikes": named}


def show(enrolled: Enrolled) -> None:
    """The text of one person."""
    for photo in enrolled.photos:
        known = "" if photo.added else "  (in the gallery already)"
        reasons = f"  {', '.join(photo.reasons)}" if photo.reasons else ""
        print(f"{shown(photo.path)}  quality {photo.quality:.2f}{reasons}{known}")
    verb = "enrolled" if enrolled.is_new else "extended"
    print(f"{verb} {enrolled.person.name}: {opening.counted(enrolled.person.templates, 'template')}")
    if enrolled.look_alikes:
        print(alike_line(enrolled.look_alikes))


def alike_line(others: Sequence[LookAlike]) -> str:
    """Who looks alike, nearest first, in one line."""
    named = [f"{other.person.name} ({other.similarity:.2f})" for other in others[:MOST_NAMED]]
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    line = f"looks like {', '.join(named)}{more}: make sure that they are not mistaken for each other"
    flagged = [other.person.name for other in others if other.flagged]
    return f"{line}; flagged as look-alikes: {', '.join(flagged)}" if flagged else line


def open_sheet(path: Path | None, photos: Sequence[Path]) -> ContactSheet | None:
    """A contact sheet if one was asked for. Raises BadInput when it could not be written there."""
    if path is None:
        return None
    check_target(path, photos)
    return ContactSheet()


def write_sheet(contact: ContactSheet | None, path: Path) -> None:
    """Writes what was seen, if a sheet was asked for."""
    if contact is None:
        return
    contact.write(path)
    if contact.count > MOST:
        print(f"faceedge: {shown(path)} shows the first {MOST} of {contact.count} photos", file=sys.stderr)
