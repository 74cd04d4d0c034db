"""`faceedge enroll`: a person from photos or from a camera, or a folder of people."""

from __future__ import annotations

import argparse

from faceedge.cli import enroll_camera, enroll_folder, noting, opening
from faceedge.cli.enrolled import document, open_sheet, show, write_sheet
from faceedge.errors import BadInput
from faceedge.jobs.enroll import Enrolled, Wish, enroll
from faceedge.jobs.photos import check_photo, photos_in

USAGE = "faceedge enroll NAME IMAGE [IMAGE ...] | NAME --camera URI | --folder DIR  [options]"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `enroll`."""
    parser = commands.add_parser(
        "enroll",
        usage=USAGE,
        help="add people from photos or a camera",
        description="Adds a person, or more templates to a person of that name. Every photo must show exactly one "
        "face, well enough to be trusted, and all of them the same person; else nothing of that person is written.",
        epilog="Example: faceedge enroll 'Ada Lovelace' ada-1.jpg ada-2.jpg     a folder: faceedge enroll Ada ada/"
        "     everybody: faceedge enroll --folder people     live: faceedge enroll Ada --camera 0",
    )
    name = parser.add_argument("name", metavar="NAME", help="how the person is called, in quotes if it has spaces")
    images = parser.add_argument(
        "images", metavar="IMAGE", nargs="+", type=opening.a_path, help="JPEG, PNG or WebP file, or a folder"
    )
    # Not nargs="?" and "*": those would match nothing when an option stands between NAME and IMAGE.
    name.required = images.required = False
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--folder", metavar="DIR", type=opening.a_path, help="DIR/<name>/<photo>: everybody in it")
    source.add_argument(
        "--camera", metavar="URI", help="shots of whoever stands there, with guidance; a name or uri of a [[camera]]"
    )
    parser.add_argument(
        "--sheet", metavar="OUT.png", type=opening.a_path, help="a picture of what was seen, and why not"
    )
    parser.add_argument("--yes", action="store_true", help="with --camera: do not ask whether the shots are good")
    parser.add_argument("--allow-duplicate", action="store_true", help="also when somebody else looks the same")
    parser.add_argument("--no-crops", action="store_true", help="keep no face pictures; a new model needs photos again")
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Enrols and tells what became of every photo, shot or folder."""
    if args.folder is not None:
        if args.name is not None:
            raise BadInput("--folder takes the names from the folders in it; give no NAME")
        return enroll_folder.run(args)
    if args.name is None:
        raise BadInput("nobody named; see faceedge enroll --help")
    if args.camera is not None:
        if args.images:
            raise BadInput("--camera takes shots itself; give no IMAGE")
        enrolled = enroll_camera.run(args)
        if enrolled is None:
            return enroll_camera.DECLINED
    else:
        enrolled = _from_photos(args)
    if args.json:
        opening.print_json(document(enrolled))
    else:
        show(enrolled)
    return 0


def _from_photos(args: argparse.Namespace) -> Enrolled:
    photos = photos_in(args.images or [])
    for photo in photos:
        check_photo(photo)  # before the networks are opened, which takes longer
    wish = Wish(args.name, tuple(photos), args.allow_duplicate, not args.no_crops)
    contact = open_sheet(args.sheet, photos)
    with (
        noting.noted(args) as note,
        opening.open_gallery(args) as gallery,
        opening.progress_bar() as progress,
        opening.open_vision(args, progress) as vision,
    ):
        try:
            enrolled = enroll(gallery, vision, wish, progress, contact.see if contact else None)
            note("enrolment", enrolled.entry())
        finally:
            write_sheet(contact, args.sheet)  # of a refusal above all
    return enrolled
