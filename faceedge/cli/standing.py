"""The part of `faceedge people set` that says how a person stands: groups, validity, block list."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime
from typing import Any

from faceedge import config
from faceedge.errors import BadInput
from faceedge.gallery.access import Access
from faceedge.gallery.access_rows import EVERYONE
from faceedge.health.clock import system_zone
from faceedge.rules import moments
from faceedge.rules.book import Group, Standing

NO_END = "none"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Every flag but the new name."""
    parser.add_argument(
        "--group", metavar="G", action="append", default=[], help="make the person a member; repeatable"
    )
    parser.add_argument("--no-group", metavar="G", action="append", default=[], help="end a membership; repeatable")
    parser.add_argument(
        "--valid-from", metavar="WHEN", help="refused before: 2026-06-01, 2026-06-01T08:00, or none for no beginning"
    )
    parser.add_argument(
        "--valid-until", metavar="WHEN", help="refused afterwards: a date counts to its end; none for no end"
    )
    blocking = parser.add_mutually_exclusive_group()
    blocking.add_argument("--block", action="store_true", help="put on the block list: refused at every door")
    blocking.add_argument("--unblock", action="store_true", help="take off the block list")


def is_wanted(args: argparse.Namespace) -> bool:
    """Whether one of the flags was given."""
    return any((args.group, args.no_group, args.valid_from, args.valid_until, args.block, args.unblock))


def change(access: Access, person_id: str, args: argparse.Namespace) -> None:
    """Does what the flags say; in a transaction of the caller."""
    zone = site_zone(args)
    for name in args.group:
        access.join(person_id, named_group(access, name))
    for name in args.no_group:
        group = access.group(name)
        if group is None or not access.leave(person_id, group):
            raise BadInput(f"the person is not in a group {name!r}; `faceedge people show` lists the groups")
    standing = access.standing(person_id)
    wanted = replace(
        standing,
        valid_from=_moment(args.valid_from, standing.valid_from, moments.begins, zone),
        valid_until=_moment(args.valid_until, standing.valid_until, moments.ends, zone),
        blocked=args.block or (standing.blocked and not args.unblock),
    )
    if wanted != standing:
        access.set_standing(person_id, wanted)


def named_group(access: Access, name: str) -> Group:
    """The group of that name, made where there is none. Raises BadInput for `everyone`."""
    if name == EVERYONE:
        raise BadInput(f"{EVERYONE!r} are all who are enrolled; nobody needs to join")
    return access.group(name) or access.add_group(name)


def site_zone(args: argparse.Namespace) -> str:
    """The time zone in which an operator thinks: the configured one, else the system's."""
    return config.load(args.config).clock.zone or system_zone()


def document(access: Access, standing: Standing) -> dict[str, Any]:
    """As JSON types; moments in UTC."""
    names = {group.id: group.name for group in access.groups()}
    return entry(standing) | {"groups": sorted(names[key] for key in standing.groups)}


def entry(standing: Standing) -> dict[str, Any]:
    """The same with ids in place of names, as the journal holds it."""
    return {
        "groups": sorted(standing.groups),
        "valid_from": standing.valid_from.isoformat() if standing.valid_from else None,
        "valid_until": standing.valid_until.isoformat() if standing.valid_until else None,
        "blocked": standing.blocked,
    }


def sentence(shown: dict[str, Any]) -> str:
    """What `document` gave as one line; empty when there is nothing to say."""
    parts = ["blocked"] if shown["blocked"] else []
    parts += [f"in {', '.join(shown['groups'])}"] if shown["groups"] else []
    parts += [f"valid from {shown['valid_from']}"] if shown["valid_from"] else []
    parts += [f"valid until {shown['valid_until']}"] if shown["valid_until"] else []
    return ", ".join(parts)


def _moment(text: str | None, present: datetime | None, read: Any, zone: str) -> datetime | None:
    if text is None:
        return present
    moment: datetime | None = None if text == NO_END else read(text, zone)
    return moment
