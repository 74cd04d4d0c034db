"""The part of `faceedge people` about a recogniser that does not know everybody: who is to be enrolled again, from
which sightings that can be done, and doing it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from faceedge.cli import noting, opening
from faceedge.cli.enrolled import document, show
from faceedge.cli.model_site import open_site
from faceedge.cli.removal import find_person
from faceedge.errors import BadInput
from faceedge.gallery.base import Person
from faceedge.gallery.store import Gallery

if TYPE_CHECKING:
    from faceedge.jobs.approving import Pending

TILE_PX = 240


@dataclass(frozen=True, slots=True)
class Unknown:
    """Of whom (ids) the recogniser called `label`, which serves, has no template."""

    label: str
    people: frozenset[str]

    def marker(self, person: Person) -> str:
        """What a list says of a person; nothing of whoever is known."""
        return f"  must be enrolled again for {self.label}" if person.id in self.people else ""


def unknown(args: argparse.Namespace, gallery: Gallery, people: Sequence[Person]) -> Unknown | None:
    """Who must be enrolled again; None without a recogniser at hand, when nobody can say."""
    package = open_site(args).at_hand("recognizer") if people else None
    if package is None:
        return None
    known = gallery.owners(package.space)
    return Unknown(package.label, frozenset(person.id for person in people if person.id not in known))


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `pending` and `approve` to `people`."""
    listing = opening.add_action(
        actions, "pending", list_pending, "who can be enrolled again from pictures that the door has kept",
        "faceedge people pending Ada --sheet ada.png",
        "After a switch to another recogniser with --dual, people of whom there is no picture are still recognised by "
        "the one before, and the newest pictures that show them for certain are kept, sealed, for 30 days. Look at "
        "them with --sheet, then approve them or erase them.",
    )  # fmt: skip
    listing.add_argument("name", metavar="NAME", nargs="?", help="only this person: exact name, or id")
    listing.add_argument("--sheet", metavar="OUT.png", type=opening.a_path, help="write NAME's pictures into a file")
    listing.add_argument("--erase", action="store_true", help="erase NAME's pictures: it was somebody else")
    approving = opening.add_action(
        actions, "approve", approve_one, "enrol a person again from pictures that the door has kept",
        "faceedge people approve Ada",
        "Makes templates of the recogniser that serves, refused for whatever an enrolment is refused for, and lets the "
        "pictures go. From then on the recogniser before is not asked about them.",
    )  # fmt: skip
    approving.add_argument("name", metavar="NAME", help="exact name, or id")
    approving.add_argument("--allow-duplicate", action="store_true", help="also when somebody else looks the same")


def list_pending(args: argparse.Namespace) -> int:
    """Lists, and with a name shows or erases."""
    if args.name is None and (args.sheet is not None or args.erase):
        raise BadInput("--sheet and --erase are about one person; give a NAME")
    from faceedge.jobs.approving import pending

    with opening.open_gallery(args) as gallery:
        person = find_person(gallery, args.name) if args.name is not None else None
        found = [one for one in pending(gallery, time.time()) if person is None or one.person.id == person.id]
        if args.sheet is not None and found:
            _write_sheet(args, gallery, found[0])
        erased = _erase(gallery, person) if args.erase and person is not None else 0
    if args.json:
        opening.print_json({"pending": [_document(one) for one in found], "erased": erased})
        return 0
    for one in found:
        pictures = opening.counted(len(one.sightings), "picture")
        print(f"{one.person.name}  {pictures}, the newest of {one.sightings[-1].day}")
    if not found:
        print("no picture is kept of anybody who is to be enrolled again" if person is None else "no picture is kept")
    if erased:
        print(f"{opening.counted(erased, 'picture')} erased")
    return 0


def approve_one(args: argparse.Namespace) -> int:
    """Enrols from sightings and tells of it as an enrolment does."""
    from faceedge.jobs.approving import approve

    with (
        noting.noted(args) as note,
        opening.open_gallery(args) as gallery,
        opening.progress_bar() as progress,
    ):
        person = find_person(gallery, args.name)
        if not gallery.sightings.of(person.id):
            raise BadInput(f"no picture is kept of {person.name!r}; enrol them from photos: faceedge enroll")
        with opening.open_vision(args, progress) as vision:
            enrolled = approve(gallery, vision, person, allow_duplicate=args.allow_duplicate)
        note("enrolment", enrolled.entry())
    if args.json:
        opening.print_json(document(enrolled))
    else:
        show(enrolled)
    return 0


def _erase(gallery: Gallery, person: Person) -> int:
    erased = gallery.sightings.erase(person.id)
    if erased:
        noting.note(gallery.path.parent, "person", {"person": person.id, "sightings_erased": erased})
        gallery.empty_log()
    return erased


def _write_sheet(args: argparse.Namespace, gallery: Gallery, one: Pending) -> None:
    import cv2
    import numpy as np

    from faceedge.jobs.drawing import check_target, sheet, write_png

    check_target(args.sheet, ())
    crops = [(sighting, gallery.sightings.crop(sighting)) for sighting in one.sightings]
    tiles = [
        (
            f"{sighting.day} quality {sighting.quality:.2f}",
            np.asarray(cv2.resize(crop, (TILE_PX, TILE_PX)), np.uint8),
        )
        for sighting, crop in crops
        if crop is not None
    ]
    write_png(args.sheet, sheet(tiles, TILE_PX), 0o600)


def _document(one: Pending) -> dict[str, Any]:
    pictures = [{"day": sighting.day, "quality": sighting.quality} for sighting in one.sightings]
    return {"id": one.person.id, "name": one.person.name, "pictures": pictures}
