"""`faceedge rules check`: asks the same function as the door does, and explains the answer."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from faceedge import config
from faceedge.cli import opening
from faceedge.cli.standing import site_zone
from faceedge.errors import BadInput
from faceedge.gallery.base import Person
from faceedge.gallery.store import Gallery
from faceedge.health.clock import SyncWatch, WallClock
from faceedge.rules import moments
from faceedge.rules.answer import Answer, decide
from faceedge.rules.book import checked_door
from faceedge.rules.explain import remedies
from faceedge.rules.schedule import time_zone

NO_CLOCK = "no-clock"
NOW = "now"


def add(actions: Any, action: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `rules check`. action: makes a parser with the common flags."""
    parser = action(
        actions, "check", check, "ask whether a person may pass a door, and why",
        "faceedge rules check 'Ada Lovelace' main 2026-06-10T18:30",
        "Exit code 0: may pass; 1: may not. The same function answers at the door.",
    )  # fmt: skip
    parser.add_argument("person", metavar="PERSON", help="exact name, or id")
    parser.add_argument("door", metavar="DOOR", help="name of a [[door]]")
    parser.add_argument(
        "when", metavar="WHEN", nargs="?", default=NOW,
        help=f"2026-06-10T18:30, {NOW} (default), or {NO_CLOCK}: as if the device had no clock it can trust",
    )  # fmt: skip
    parser.add_argument(
        "--with", dest="company", metavar="PERSON", action="append", default=[],
        help="somebody recognised at the door at the same time; repeatable",
    )  # fmt: skip


def check(args: argparse.Namespace) -> int:
    """Asks the rules as the door does."""
    zone = site_zone(args)
    door, now = known_door(args, args.door), _when(args, zone)
    with opening.open_gallery(args) as gallery:
        person, *company = [_person(gallery, name) for name in (args.person, *args.company)]
        book = gallery.book()
    answer = decide(book, person.id, door, now, {other.id: 0.0 for other in company})
    mend = remedies(book, person.id, door, now, answer)
    if args.json:
        asked = {"person": {"id": person.id, "name": person.name}, "door": door}
        opening.print_json(asked | {"when": now.isoformat() if now else None} | _answer(answer, mend))
    else:
        when = f"on {now.astimezone(time_zone(zone)):%A %Y-%m-%d at %H:%M} {zone}" if now else "without a trusted clock"
        print(f"{'yes' if answer.allowed else 'no'} ({answer.reason}): {person.name} at door {door} {when}")
        print(*(f"  because {line}" for line in answer.because), *(f"  to pass: {line}" for line in mend), sep="\n")
    return 0 if answer.allowed else 1


def _when(args: argparse.Namespace, zone: str) -> datetime | None:
    if args.when == NO_CLOCK:
        return None
    if args.when != NOW:
        return moments.moment(args.when, zone)
    sync = SyncWatch()
    sync.settle(3.0)
    sync.close()
    return WallClock(sync, config.load(args.config).clock.require_sync).now()


def known_door(args: argparse.Namespace, name: str) -> str:
    """A door of the configuration, or any name while it has none."""
    known = [door.name for door in config.load(args.config).door]
    if known and name not in known:
        raise BadInput(f"no [[door]] is called {name!r}; known are {', '.join(known)}")
    return checked_door(name)


def _person(gallery: Gallery, name: str) -> Person:
    person = gallery.find(name)
    if person is None:
        raise BadInput(f"nobody called {name!r} in the gallery; `faceedge people list` shows who is")
    return person


def _answer(answer: Answer, mend: Sequence[str]) -> dict[str, Any]:
    return {
        "allowed": answer.allowed, "reason": answer.reason, "rule": answer.rule, "because": list(answer.because),
        "to_pass": list(mend),
    }  # fmt: skip
