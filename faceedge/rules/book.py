"""Everything a gallery says about passing: who stands how, which groups there are, which rules, which holidays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from faceedge.errors import BadInput
from faceedge.rules.schedule import Schedule

ANY_DOOR = "*"
LONGEST_ESCORT_S = 120

_DOOR = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class Standing:
    """How one person stands. Valid from `valid_from` until just before `valid_until` (aware); None: without end.

    groups: ids. blocked: refused everywhere, and already where it is only likely that it is them.
    """

    valid_from: datetime | None = None
    valid_until: datetime | None = None
    blocked: bool = False
    groups: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for moment in (self.valid_from, self.valid_until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a moment without a time zone is no moment")
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise BadInput("validity ends before it begins; mend --valid-from or --valid-until")


@dataclass(frozen=True, slots=True)
class Group:
    """is_always: its rules without hours hold even while no clock can be trusted."""

    id: str
    name: str
    is_always: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Members of `group` (None: everybody enrolled) may pass `door` (ANY_DOOR: each) in `schedule` (None: at any time).

    escort: a group; one of its members, who may pass by themselves, must have been seen there within `within_s`.
    """

    id: str
    group: str | None
    door: str
    schedule: Schedule | None = None
    escort: str | None = None
    within_s: int = 15

    def __post_init__(self) -> None:
        if self.door != ANY_DOOR:
            checked_door(self.door)
        if not 1 <= self.within_s <= LONGEST_ESCORT_S:
            raise BadInput(f"an escort within {self.within_s} s; use 1 to {LONGEST_ESCORT_S}")


def checked_door(name: str) -> str:
    """The name. Raises BadInput when no [[door]] can be called so."""
    if not _DOOR.fullmatch(name):
        raise BadInput(f"{name!r} is no name of a door; use the name of a [[door]], or any")
    return name


@dataclass(frozen=True, slots=True)
class Book:
    """A whole rule set. people, groups: by id; whoever is not in `people` is nobody. look_alikes: of whoever is
    flagged, whom they look like."""

    people: Mapping[str, Standing] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    holidays: frozenset[date] = frozenset()
    look_alikes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def at(self, door: str) -> list[Rule]:
        """The rules that name this door."""
        return [rule for rule in self.rules if rule.door in (door, ANY_DOOR)]

    def group_name(self, group: str | None) -> str:
        """`everyone` without a group."""
        return "everyone" if group is None else self.groups[group].name if group in self.groups else "a lost group"

    def is_blocked(self, person: str) -> bool:
        return person in self.people and self.people[person].blocked
