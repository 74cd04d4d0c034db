"""`faceedge people`: who is in the gallery."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from faceedge.cli import again, alikes, noting, opening, removal, standing
from faceedge.errors import BadInput, one_line
from faceedge.gallery.base import Entry, Person


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `people list|show|pending|approve|remove|set`."""
    parser = commands.add_parser(
        "people",
        help="list, show, change or remove people",
        description="Who is in the gallery. People are named by their exact name or their id.",
        epilog="Example: faceedge people show 'Ada Lovelace'",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _action(actions, "list", list_people, "everybody, with the number of templates", "faceedge people list --json")
    _action(actions, "show", show, "one person and what is stored of them", "faceedge people show Ada", "NAME")
    again.add_actions(actions)
    removal.add_action(actions)
    changing = _action(
        actions, "set", change, "change a person: name, groups, validity, block list, look-alikes",
        "faceedge people set Ada --group staff --valid-until 2026-12-31", "NAME",
    )  # fmt: skip
    changing.add_argument("--rename", metavar="NEW", help="the new name")
    standing.add_flags(changing)
    alikes.add_flags(changing)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    verb: str,
    run: Any,
    purpose: str,
    example: str,
    *names: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        verb, help=purpose, description=f"{purpose[:1].upper()}{purpose[1:]}.", epilog=f"Example: {example}"
    )
    for name in names:
        parser.add_argument("name", metavar=name, help="exact name, or id")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)
    return parser


def list_people(args: argparse.Namespace) -> int:
    """Everybody, by name."""
    with opening.open_gallery(args) as gallery:
        people = gallery.people()
        others = alikes.of_all(gallery, people)
        unknown = again.unknown(args, gallery, people)
    if args.json:
        listed = [_listed(person, others, unknown) for person in people]
        opening.print_json({"people": listed})
        return 0
    width = max((len(person.name) for person in people), default=0)
    for person in people:
        templates = opening.counted(person.templates, "template")
        alike = alikes.flagged(others.get(person.id, ()))
        marker = unknown.marker(person) if unknown is not None else ""
        marker += f"  looks like {', '.join(alike)}" if alike else ""
        print(f"{person.name:<{width}}  {templates:>12}  since {_date(person.created)}  {person.id}{marker}")
    if not people:
        print("the gallery is empty; add somebody with: faceedge enroll NAME IMAGE…")
    return 0


def show(args: argparse.Namespace) -> int:
    """One person with every template."""
    with opening.open_gallery(args) as gallery:
        person = removal.find_person(gallery, args.name)
        entries = gallery.entries(person.id)
        shown = standing.document(gallery.access, gallery.access.standing(person.id))
        others = alikes.of(gallery, person.id)
    if args.json:
        templates = {"templates": [_template(entry) for entry in entries]}
        opening.print_json(_person(person) | shown | _look_alikes(others) | templates)
        return 0
    print(f"{person.name}  since {_date(person.created)}  {person.id}")
    if said := standing.sentence(shown):
        print(f"  {said}")
    for said in alikes.sentences(others):
        print(f"  {said}")
    for entry in entries:
        crop = "with picture" if entry.crop else "no picture"
        print(
            f"  {_date(entry.created)}  quality {entry.origin.quality:.2f}  space {entry.space}"
            f"  build {entry.origin.build}  {entry.dimension}-d  {crop}  {one_line(entry.origin.source, 80)}"
        )
    return 0


def change(args: argparse.Namespace) -> int:
    """Gives a person another name, other groups, another validity, look-alikes; all of it or nothing."""
    is_about_looks = alikes.is_wanted(args)
    if not (args.rename or standing.is_wanted(args) or is_about_looks):
        raise BadInput("nothing to change; see faceedge people set --help")
    with opening.open_gallery(args) as gallery, gallery.transaction():
        person = removal.find_person(gallery, args.name)
        if args.rename:
            person = gallery.rename(person, args.rename)
        if standing.is_wanted(args):
            standing.change(gallery.access, person.id, args)
        bodies = alikes.change(gallery, person, args)
        held = gallery.access.standing(person.id)
        shown = standing.document(gallery.access, held)
        others = alikes.of(gallery, person.id)
    if args.rename or standing.is_wanted(args):
        noting.note(gallery.path.parent, "person", {"person": person.id} | standing.entry(held))
    for body in bodies:
        noting.note(gallery.path.parent, "look_alike", body)
    if args.json:
        opening.print_json(_person(person) | shown | _look_alikes(others))
        return 0
    if args.rename:
        print(f"{args.name} is now called {person.name}")
    if standing.is_wanted(args):
        print(f"{person.name}: {standing.sentence(shown) or 'no group, valid without end'}")
    if is_about_looks:
        print(f"{person.name} looks like {', '.join(alikes.flagged(others)) or 'nobody else'}")
    return 0


def _person(person: Person) -> dict[str, Any]:
    return {"id": person.id, "name": person.name, "created": _date(person.created), "templates": person.templates}


def _listed(person: Person, others: Mapping[str, alikes.Others], unknown: again.Unknown | None) -> dict[str, Any]:
    """enrol_again: None where nobody can say."""
    is_unknown = None if unknown is None else person.id in unknown.people
    return _person(person) | _look_alikes(others.get(person.id, ())) | {"enrol_again": is_unknown}


def _look_alikes(others: alikes.Others) -> dict[str, Any]:
    return {"look_alikes": alikes.document(others)}


def _template(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id, "created": _date(entry.created), "quality": entry.origin.quality, "source": entry.origin.source,
        "space": entry.space, "build": entry.origin.build, "dimension": entry.dimension, "crop": entry.crop,
    }  # fmt: skip


def _date(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
