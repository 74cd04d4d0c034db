"""`faceedge gallery`: people to another door and back; the audit is in `gallery_audit`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from faceedge.cli import gallery_audit, noting, opening, passphrase
from faceedge.cli.removal import find_person
from faceedge.errors import BadInput
from faceedge.gallery.base import Person
from faceedge.gallery.store import Gallery
from faceedge.jobs.look_alikes import Measure
from faceedge.jobs.moving import Arrived, bring_in, export


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `gallery audit|export|import`."""
    parser = commands.add_parser(
        "gallery",
        help="look through the gallery; take people to another door",
        description="Audits what is stored, and takes people to another door in an encrypted file: names, templates, "
        "pictures, validity and block list, but no groups, which mean something else at another door.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    gallery_audit.add(actions)
    _add_export(actions)
    _add_import(actions)


def _add_export(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "export",
        help="write people into an encrypted file",
        description="Writes people into FILE, encrypted with a passphrase. They stay in this gallery too.",
        epilog="Example: faceedge gallery export staff.faceedge 'Ada Lovelace' Bob     or everybody: --all",
    )
    parser.add_argument("file", metavar="FILE", type=opening.a_path, help="the file to write")
    parser.add_argument("names", metavar="NAME", nargs="*", help="exact names, or ids")
    parser.add_argument("--all", action="store_true", help="everybody")
    passphrase.add_flag(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_export)


def _add_import(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "import",
        help="take people from an encrypted file into this gallery",
        description="Everybody of FILE comes in under their own id, or nobody does. A face that is somebody else's "
        "here is refused, and so is a name that is taken, and whoever was removed from this gallery.",
        epilog="Example: faceedge gallery import staff.faceedge",
    )
    parser.add_argument("file", metavar="FILE", type=opening.a_path, help="what faceedge gallery export has written")
    parser.add_argument("--allow-duplicate", action="store_true", help="also when somebody else looks the same")
    passphrase.add_flag(parser)
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_import)


def run_export(args: argparse.Namespace) -> int:
    """Writes people into a file."""
    if bool(args.names) == args.all:
        raise BadInput("name the people to export, or --all; see faceedge gallery export --help")
    with opening.open_gallery(args) as gallery:
        people = _chosen(gallery, args.names)
        phrase = passphrase.ask(args, is_new=True)
        with opening.progress_bar() as progress:
            done = export(gallery, args.file, people, phrase, progress)
    if args.json:
        opening.print_json({"id": done.id, "path": str(done.path), "people": [person.id for person in people]})
    else:
        print(f"{done.path}: {', '.join(done.people) or 'nobody'}")
    return 0


def _chosen(gallery: Gallery, names: Sequence[str]) -> list[Person]:
    if not names:
        return gallery.people()
    people = {person.id: person for person in (find_person(gallery, name) for name in names)}
    return list(people.values())


def run_import(args: argparse.Namespace) -> int:
    """Takes people in."""
    phrase = passphrase.ask(args, is_new=False)
    with opening.progress_bar() as progress, opening.open_vision(args, progress) as vision:
        gate = Measure.of(vision)
    with opening.open_gallery(args) as gallery:
        arrived = bring_in(gallery, args.file, phrase, gate, allow_duplicate=args.allow_duplicate)
        names = {person.id: person.name for person in gallery.people()}
        _note(gallery, arrived)
    if args.json:
        people = [
            {
                "id": one.person.id, "name": one.person.name, "new": one.is_new, "added": one.templates,
                "unchecked": one.unchecked, "look_alikes": [{"id": key, "name": names[key]} for key in one.look_alikes],
            }
            for one in arrived
        ]  # fmt: skip
        opening.print_json({"people": people})
    else:
        _print(arrived, names)
    return 0


def _note(gallery: Gallery, arrived: Sequence[Arrived]) -> None:
    for one in arrived:
        for other in one.look_alikes:
            body = {"person": one.person.id, "other": other, "flagged": True, "by": "import"}
            noting.note(gallery.path.parent, "look_alike", body)


def _print(arrived: Sequence[Arrived], names: Mapping[str, str]) -> None:
    for one in arrived:
        verb = "came in" if one.is_new else "was here"
        print(f"{one.person.name} {verb}: {opening.counted(one.templates, 'template')} added")
        if one.look_alikes:
            print(f"  flagged: looks like {', '.join(names[key] for key in one.look_alikes)}")
        if one.unchecked:
            print(f"  {one.unchecked} of another recogniser: they open no door here, and were not compared with others")
    if not arrived:
        print("nobody is in the file")
