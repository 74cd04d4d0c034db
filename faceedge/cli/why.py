"""`faceedge why`: what happened at the door, in a paragraph."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from faceedge import config
from faceedge.cli import alikes, opening
from faceedge.errors import StoreError
from faceedge.gallery.store import Gallery
from faceedge.journal.entry import Entry
from faceedge.journal.explain import Matter, advice, paragraph
from faceedge.journal.export import as_json, time_text
from faceedge.journal.matter import find

KINDS = ("grant", "verdict", "second_factor", "command")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `why`."""
    parser = commands.add_parser(
        "why",
        help="why did the door open, or not",
        description="Tells of one decision: what happened, to whom, which numbers decided, what the controller said, "
        "and what may help.",
        epilog="Example: faceedge why --last",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--last", action="store_true", help="the last decision (the default)")
    which.add_argument("id", nargs="?", metavar="ID", help="id or number of a decision, as events and exports show it")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Looks the decision up, and the name of the person as the gallery has it now."""
    state = config.state_dir(config.load(args.config))
    found = find(state / "journal.db", args.id)
    person = found[0].body.get("person")
    with opening.open_gallery(args) as gallery:
        names = _names(gallery, person) if person else {}
        alike = _alike(gallery, person) if person else []
    matter = replace(_matter(found, names), alike=alike)
    if args.json:
        told = {
            "text": paragraph(matter),
            "advice": advice(matter),
            "name": names.get(person or ""),
            "look_alikes": alike,
        }
        opening.print_json(told | {"entries": [as_json(entry) for entry in found]})
    else:
        print(paragraph(matter))
    return 0


def _matter(found: Sequence[Entry], names: dict[str, str]) -> Matter:
    decision, *later = found
    bodies = {kind: [entry.body for entry in later if entry.draft.kind == kind] for kind in KINDS}
    when = time_text(decision) or "at a time not known, the clock was not set"
    matter = Matter(
        when, decision.seq, decision.body, bodies["grant"], bodies["verdict"], names, bodies["second_factor"],
        bodies["command"],
    )  # fmt: skip
    answer = next((entry for entry in later if entry.draft.kind == "decision"), None)
    if answer is None:
        return matter
    took_s = (answer.draft.monotonic_ms - decision.draft.monotonic_ms) / 1000
    return replace(matter, answer=answer.body, answer_s=took_s)


def _alike(gallery: Gallery, person: str) -> list[str]:
    """Names of those whom the person looks like now."""
    try:
        return alikes.flagged(alikes.of(gallery, person))
    except StoreError:
        return []


def _names(gallery: Gallery, person: str) -> dict[str, str]:
    try:
        known = gallery.find(person)
    except StoreError:
        return {}
    return {known.id: known.name} if known else {}
