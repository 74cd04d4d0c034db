"""The part of `faceedge people` that is about look-alikes: who is flagged, flagged by hand, or cleared."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from faceedge.cli.removal import find_person
from faceedge.errors import BadInput
from faceedge.gallery.alike import named
from faceedge.gallery.base import Likeness, Pair, Person
from faceedge.gallery.store import Gallery

Others = Sequence[tuple[Person, Likeness]]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Of `people set`."""
    parser.add_argument(
        "--look-alike", metavar="OTHER", action="append", default=[],
        help="flag the two: a door with look_alikes = \"review\" asks them for a second factor; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--no-look-alike", metavar="OTHER", action="append", default=[],
        help="the two are not to be mistaken for each other after all; needs --reason; repeatable",
    )  # fmt: skip
    parser.add_argument("--reason", metavar="WHY", help="why a flag is cleared; kept with the pair and in the journal")


def is_wanted(args: argparse.Namespace) -> bool:
    """Whether one of the flags was given. Raises BadInput for a reason without what it is for, or the other way."""
    if bool(args.no_look_alike) != (args.reason is not None):
        raise BadInput("--no-look-alike and --reason belong together; give both or neither")
    return bool(args.look_alike or args.no_look_alike)


def change(gallery: Gallery, person: Person, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Does what the flags say, in a transaction of the caller; what the journal is to hold of it."""
    marked = [find_person(gallery, name) for name in args.look_alike]
    cleared = [find_person(gallery, name) for name in args.no_look_alike]
    for other in marked:
        gallery.alike.mark(person.id, other.id)
    for other in cleared:
        gallery.alike.clear(person.id, other.id, args.reason)
    bodies = [{"person": person.id, "other": other.id, "flagged": True, "by": "hand"} for other in marked]
    return bodies + [
        {"person": person.id, "other": other.id, "flagged": False, "by": "hand", "why": args.reason.strip()}
        for other in cleared
    ]


def of(gallery: Gallery, person_id: str) -> Others:
    """Of one person, also those who were cleared."""
    people = {one.id: one for one in gallery.people()}
    return named(gallery.alike.pairs(person_id), person_id, people)


def of_all(gallery: Gallery, people: Sequence[Person]) -> Mapping[str, Others]:
    """Of everybody who has any, by id."""
    by_id = {one.id: one for one in people}
    pairs: dict[str, list[Pair]] = {}
    for pair in gallery.alike.pairs():
        for person_id in pair.people:
            pairs.setdefault(person_id, []).append(pair)
    return {person_id: named(of_one, person_id, by_id) for person_id, of_one in pairs.items()}


def document(others: Others) -> list[dict[str, Any]]:
    """As JSON types, nearest first. cleared: why the pair counts no more, empty while it does."""
    return [
        {
            "id": other.id, "name": other.name, "similarity": likeness.similarity, "by": likeness.by,
            "cleared": likeness.cleared,
        }
        for other, likeness in others
    ]  # fmt: skip


def flagged(others: Others) -> list[str]:
    """Names of those who count."""
    return [other.name for other, likeness in others if not likeness.cleared]


def sentences(others: Others) -> list[str]:
    """A line a pair."""
    return [_sentence(other, likeness) for other, likeness in others]


def _sentence(other: Person, likeness: Likeness) -> str:
    score = "" if likeness.similarity is None else f" ({likeness.similarity:.2f})"
    if likeness.cleared:
        return f"not to be mistaken for {other.name}{score}: {likeness.cleared}"
    return f"looks like {other.name}{score}, flagged by {likeness.by}"
