"""`faceedge rules`: who may pass which door and when."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from faceedge.cli import noting, opening, rules_check
from faceedge.cli.rules_check import known_door
from faceedge.cli.standing import named_group, site_zone
from faceedge.errors import BadInput
from faceedge.gallery.access_rows import EVERYONE
from faceedge.gallery.store import Gallery
from faceedge.rules import moments
from faceedge.rules.answer import describe
from faceedge.rules.book import ANY_DOOR, Book, Group, Rule
from faceedge.rules.schedule import Schedule, Window

ANY = "any"
SHORTEST_ID = 4

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds `rules list|add|remove|group|holiday|check`."""
    parser = commands.add_parser(
        "rules",
        help="say who may pass which door and when, and ask why somebody may not",
        description="A door that no rule names lets everybody enrolled pass. As soon as one rule names it, only what a "
        "rule allows passes. A running daemon follows within a second.",
        epilog="Example: faceedge rules add staff main --at 'mon-fri 08:00-18:00'",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    opening.add_action(actions, "list", list_rules, "all groups, rules and holidays", "faceedge rules list --json")
    _add_add(actions)
    removing = opening.add_action(actions, "remove", remove_rule, "take a rule away", "faceedge rules remove 3f2a91c0")
    removing.add_argument("id", metavar="ID", help="id of the rule, or its beginning, as `rules list` shows it")
    _add_group(actions)
    _add_holiday(actions)
    rules_check.add(actions, opening.add_action)


def _add_add(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = opening.add_action(
        actions, "add", add_rule, "let a group pass a door",
        "faceedge rules add visitors main --at 'mon-fri 09:00-17:00' --escort staff --within 20",
        "Hours are what a clock on the wall shows; 22:00-06:00 ends on the next day and belongs to the day it begins.",
    )  # fmt: skip
    parser.add_argument("group", metavar="GROUP", help=f"name of a group, made if it is new; or {EVERYONE}")
    parser.add_argument("door", metavar="DOOR", help=f"name of a [[door]]; or {ANY}")
    parser.add_argument(
        "--at", metavar="HOURS", action="append", default=[],
        help="'[DAYS ]HH:MM-HH:MM' with days such as mon-fri or sat,holiday; repeatable (default: at any time)",
    )  # fmt: skip
    parser.add_argument("--zone", help="time zone of the hours (default: [clock] zone, or that of this system)")
    parser.add_argument("--escort", metavar="GROUP", help="only when somebody of this group is seen at the door, too")
    parser.add_argument("--within", metavar="S", type=int, default=15, help="seconds between the two (default: 15)")


def _add_group(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = opening.add_action(
        actions, "group", change_group, "make a group, mark it, or remove it", "faceedge rules group firemen --always",
        "Members of a group marked always pass by its rules without hours even while no clock can be trusted.",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="name of the group")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--always", action="store_true", help="mark it always")
    what.add_argument("--not-always", action="store_true", help="take the mark away")
    what.add_argument("--remove", action="store_true", help="remove it; its members stay enrolled")


def _add_holiday(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = opening.add_action(
        actions, "holiday", change_holiday, "make a date a holiday",
        "faceedge rules holiday 2026-12-25 --name Christmas",
        "On it the hours of `holiday` count, and those of its weekday do not.",
    )  # fmt: skip
    parser.add_argument("date", metavar="DATE", help="such as 2026-12-25")
    parser.add_argument("--name", default="", help="what it is called")
    parser.add_argument("--remove", action="store_true", help="make it an ordinary day again")


def list_rules(args: argparse.Namespace) -> int:
    """Everything that decides besides the people."""
    with opening.open_gallery(args) as gallery:
        book, holidays = gallery.book(), gallery.access.holidays()
    groups = [_group(book, group) for group in book.groups.values()]
    days = [{"date": holiday.day.isoformat(), "name": holiday.name} for holiday in holidays]
    if args.json:
        opening.print_json({"groups": groups, "rules": [_rule(book, one) for one in book.rules], "holidays": days})
        return 0
    for group in groups:
        members = opening.counted(group["members"], "member")
        print(f"group {group['name']}: {members}{', always' if group['always'] else ''}")
    for rule in book.rules:
        print(describe(book, rule))
    for day in days:
        print(f"holiday {day['date']} {day['name']}".rstrip())
    if not book.rules:
        print("no rules: everybody enrolled may pass every door at any time")
    return 0


def add_rule(args: argparse.Namespace) -> int:
    """Stores one rule."""
    door = ANY_DOOR if args.door == ANY else known_door(args, args.door)
    if args.zone and not args.at:
        raise BadInput("--zone is for hours; name them with --at")
    schedule = None
    if args.at:
        schedule = Schedule(tuple(map(Window.parse, args.at)), args.zone or site_zone(args))
    with opening.open_gallery(args) as gallery, gallery.transaction():
        group = None if args.group == EVERYONE else named_group(gallery.access, args.group)
        escort = named_group(gallery.access, args.escort) if args.escort else None
        rule = gallery.access.add_rule(group, door, schedule, escort, args.within)
        book = gallery.book()
    _note(gallery, "rule", added=rule.id, door=rule.door, group=rule.group, escort=rule.escort)
    if args.json:
        opening.print_json(_rule(book, rule))
    else:
        print(describe(book, rule))
        for named in {rule.group, rule.escort} - {None}:
            _say_if_empty(book, str(named))
    return 0


def remove_rule(args: argparse.Namespace) -> int:
    """Erases one rule, and says when that opens a door."""
    with opening.open_gallery(args) as gallery, gallery.transaction():
        rule = _found(gallery.access.rules(), args.id)
        gallery.access.remove_rule(rule)
        book = gallery.book()
    _note(gallery, "rule", removed=rule.id, door=rule.door)
    if args.json:
        opening.print_json({"removed": rule.id})
    else:
        print(f"removed rule {rule.id[:8]}")
        left = book.rules if rule.door == ANY_DOOR else book.at(rule.door)
        if not left:
            which = "any door" if rule.door == ANY_DOOR else f"door {rule.door}"
            print(f"no rule is left for {which}: everybody enrolled may pass at any time")
    return 0


def change_group(args: argparse.Namespace) -> int:
    """Makes, marks or removes a group."""
    with opening.open_gallery(args) as gallery, gallery.transaction():
        group = gallery.access.group(args.name)
        if args.remove:
            if group is None:
                raise BadInput(f"no group {args.name!r}; `faceedge rules list` shows them")
            left = gallery.access.remove_group(group)
            done: dict[str, Any] = {"removed": group.id, "members": left}
        else:
            group = group or named_group(gallery.access, args.name)
            if args.always or args.not_always:
                group = gallery.access.mark_group(group, is_always=args.always)
            done = _group(gallery.book(), group)
    _note(gallery, "group", group=group.id, removed=args.remove, always=group.is_always)
    if args.json:
        opening.print_json(done)
    elif args.remove:
        print(f"removed group {args.name}: {opening.counted(done['members'], 'member')} left it")
    else:
        print(f"group {args.name}{': always' if group.is_always else ''}")
    return 0


def change_holiday(args: argparse.Namespace) -> int:
    """Stores or removes a holiday."""
    day = moments.day(args.date)
    with opening.open_gallery(args) as gallery, gallery.transaction():
        if args.remove:
            holiday = next((one for one in gallery.access.holidays() if one.day == day), None)
            if holiday is None:
                raise BadInput(f"{day} is no holiday; `faceedge rules list` shows them")
            gallery.access.remove_holiday(holiday)
        else:
            gallery.access.add_holiday(day, args.name)
    _note(gallery, "holiday", day=day.isoformat(), removed=args.remove)
    if args.json:
        opening.print_json({"removed" if args.remove else "added": day.isoformat()})
    else:
        print(f"{day} is {'an ordinary day again' if args.remove else 'a holiday'}")
    return 0


def _note(gallery: Gallery, kind: str, **body: Any) -> None:
    """Who may pass was changed: ids in the journal, no names."""
    noting.note(gallery.path.parent, kind, body)


def _found(rules: Sequence[Rule], beginning: str) -> Rule:
    found = [rule for rule in rules if rule.id.startswith(beginning.lower())]
    if len(beginning) < SHORTEST_ID or len(found) != 1:
        many = "several rules begin" if len(found) > 1 else "no rule begins"
        raise BadInput(f"{many} with {beginning!r}; give at least {SHORTEST_ID} characters of `faceedge rules list`")
    return found[0]


def _say_if_empty(book: Book, group: str) -> None:
    if not any(group in standing.groups for standing in book.people.values()):
        name = book.group_name(group)
        print(f"group {name} has no members yet: faceedge people set NAME --group {name}")


def _group(book: Book, group: Group) -> dict[str, Any]:
    members = sum(group.id in standing.groups for standing in book.people.values())
    return {"id": group.id, "name": group.name, "always": group.is_always, "members": members}


def _rule(book: Book, rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "group": book.group_name(rule.group),
        "door": ANY if rule.door == ANY_DOOR else rule.door,
        "hours": [str(window) for window in rule.schedule.windows] if rule.schedule else [],
        "zone": rule.schedule.zone if rule.schedule else None,
        "escort": book.group_name(rule.escort) if rule.escort else None,
        "within_s": rule.within_s if rule.escort else None,
    }
