"""`faceedge enroll`: a person from photos."""

from __future__ import annotations

import argparse
from typing import Any

from faceedge.cli import noting, opening
from faceedge.jobs.enroll import Enrolled, Wish, enroll
from faceedge.jobs.photos import check_photo, photos_in, shown


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `enroll`."""
    parser = commands.add_parser(
        "enroll",
        help="add a person from photos",
        description="Adds a person, or more templates to a person of that name. Every photo must show exactly one "
        "face, well enough to be trusted, and all of them the same person; else nothing is written.",
        epilog="Example: faceedge enroll 'Ada Lovelace' ada-1.jpg ada-2.jpg     or a folder: faceedge enroll Ada ada/",
    )
    parser.add_argument("name", metavar="NAME", help="how the person is called, in quotes if it has spaces")
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", type=opening.a_path, help="JPEG, PNG or WebP file, or a folder"
    )
    parser.add_argument("--allow-duplicate", action="store_true", help="also when somebody else looks the same")
    parser.add_argument("--no-crops", action="store_true", help="keep no face pictures; a new model needs photos again")
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Enrols and tells what became of every photo."""
    photos = photos_in(args.images)
    for photo in photos:
        check_photo(photo)  # before the networks are opened, which takes longer
    wish = Wish(args.name, tuple(photos), args.allow_duplicate, not args.no_crops)
    with (
        noting.noted(args) as note,
        opening.open_gallery(args) as gallery,
        opening.progress_bar() as progress,
        opening.open_vision(args, progress) as vision,
    ):
        enrolled = enroll(gallery, vision, wish, progress)
        note("enrolment", _entry(enrolled))
    if args.json:
        opening.print_json(_document(enrolled))
    else:
        _print(enrolled)
    return 0


def _entry(enrolled: Enrolled) -> dict[str, Any]:
    """For the journal: no name, and no names of files, which are often those of people."""
    qualities = [round(photo.quality, 3) for photo in enrolled.photos if photo.added]
    person = enrolled.person
    return {"person": person.id, "new": enrolled.is_new, "templates": person.templates, "qualities": qualities}


def _document(enrolled: Enrolled) -> dict[str, Any]:
    person = enrolled.person
    photos = [
        {"path": str(photo.path), "quality": photo.quality, "reasons": list(photo.reasons), "added": photo.added}
        for photo in enrolled.photos
    ]
    entry = {"id": person.id, "name": person.name, "templates": person.templates}
    return {"person": entry, "new": enrolled.is_new, "photos": photos}


def _print(enrolled: Enrolled) -> None:
    for photo in enrolled.photos:
        known = "" if photo.added else "  (in the gallery already)"
        reasons = f"  {', '.join(photo.reasons)}" if photo.reasons else ""
        print(f"{shown(photo.path)}  quality {photo.quality:.2f}{reasons}{known}")
    verb = "enrolled" if enrolled.is_new else "extended"
    print(f"{verb} {enrolled.person.name}: {opening.counted(enrolled.person.templates, 'template')}")
