"""A controller gets a new key: made beside the old one, both good for a while, then one of them goes.

Each step is one creation, one rename or one deletion of a whole file, so a crash leaves the state before or after it.
Run by `faceedge door key`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from faceedge.config import Door
from faceedge.door.contract import DoorKey
from faceedge.door.keys import checked_name, key_path, next_path, read_key, write_key
from faceedge.errors import BadInput, StoreError
from faceedge.files import sync_folder

_FILE = re.compile(r"door-([^.]+)\.([^.]+)\.(?:next\.)?key")


@dataclass(frozen=True, slots=True)
class Holding:
    """What the device has of one controller. kid, next_kid: names of its keys, empty without one.

    named: a [[door]] of the configuration has it. fault: why a file cannot be used, empty if all can.
    """

    door: str
    controller: str
    kid: str
    next_kid: str
    named: bool
    fault: str

    @property
    def is_rotating(self) -> bool:
        return bool(self.next_kid)


def begin(state: Path, door: str, controller: str) -> tuple[DoorKey, Path]:
    """Makes the new key; from now on both are good. Raises StoreError without an old one, or when one is under way."""
    read_key(key_path(state, checked_name(door), checked_name(controller)))
    path = next_path(state, door, controller)
    write_key(path, "a rotation is under way; end it with: faceedge door key finish, or: faceedge door key cancel")
    return read_key(path), path


def finish(state: Path, door: str, controller: str) -> tuple[DoorKey, DoorKey]:
    """The new key takes the place of the old one. Returns old and new. Raises StoreError."""
    old, fresh = _both(state, door, controller)
    next_path(state, door, controller).replace(key_path(state, door, controller))
    sync_folder(state / "keys")
    return old, fresh


def cancel(state: Path, door: str, controller: str) -> tuple[DoorKey, DoorKey]:
    """The new key is deleted, the old one stays. Returns old and new. Raises StoreError."""
    both = _both(state, door, controller)
    next_path(state, door, controller).unlink()
    sync_folder(state / "keys")
    return both


def remove(state: Path, door: str, controller: str) -> None:
    """Deletes all keys of a controller, whatever is in the files; the new one first. Raises OSError."""
    for path in (next_path(state, door, controller), key_path(state, door, controller)):
        path.unlink(missing_ok=True)
    sync_folder(state / "keys")


def holdings(state: Path, doors: Iterable[Door]) -> list[Holding]:
    """All controllers that a [[door]] names or that have a key file, by name."""
    named = {(door.name, controller) for door in doors for controller in door.controllers}
    return [_holding(state, at, at in named) for at in sorted(named | on_disk(state))]


def notices(keys: Mapping[tuple[str, str], Sequence[DoorKey]]) -> list[str]:
    """One sentence for each rotation that has been begun and not ended. keys: as `load_keys` gives them."""
    return [
        f"door {door}, controller {controller}: two keys open it; end the rotation with: "
        f"faceedge door key finish {door} --controller {controller}"
        for (door, controller), both in sorted(keys.items())
        if len(both) > 1
    ]


def the_controller(state: Path, door: str, controller: str | None) -> str:
    """The controller that is meant: the one named, else the only one of the door. Raises BadInput."""
    if controller is not None:
        return checked_name(controller)
    known = sorted({each for name, each in on_disk(state) if name == checked_name(door)})
    if len(known) != 1:
        what = f"has {len(known)} controllers: {', '.join(known)}; name one with --controller" if known else _NONE
        raise BadInput(f"door {door} {what}")
    return known[0]


_NONE = "has no key; see faceedge door list, or make one with: faceedge door add NAME"


def _both(state: Path, door: str, controller: str) -> tuple[DoorKey, DoorKey]:
    fresh = next_path(state, checked_name(door), checked_name(controller))
    if not os.path.lexists(fresh):
        raise StoreError(
            f"no rotation is under way for door {door}, controller {controller}; begin with: faceedge door key rotate"
        )
    return read_key(key_path(state, door, controller)), read_key(fresh)


def on_disk(state: Path) -> set[tuple[str, str]]:
    """Door and controller of every key file there is."""
    matches = (_FILE.fullmatch(path.name) for path in (state / "keys").glob("door-*.key"))
    return {(match[1], match[2]) for match in matches if match}


def _holding(state: Path, at: tuple[str, str], named: bool) -> Holding:
    fresh = next_path(state, *at)
    kid, fault = _kid(key_path(state, *at))
    next_kid, next_fault = _kid(fresh) if os.path.lexists(fresh) else ("", "")
    return Holding(*at, kid, next_kid, named, fault or next_fault)


def _kid(path: Path) -> tuple[str, str]:
    try:
        return read_key(path).kid, ""
    except StoreError as error:
        return "", str(error)
