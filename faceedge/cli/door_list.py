"""`faceedge door list` and `faceedge door remove`: which controllers there are, and how one goes."""

from __future__ import annotations

import argparse
import dataclasses

from faceedge.cli import opening
from faceedge.cli.door_keys import note
from faceedge.cli.door_site import Commands, Site, add_action, add_names, add_yes, is_sure
from faceedge.config import Config
from faceedge.door import rotation
from faceedge.door.contract import Address, DoorKey
from faceedge.door.keys import key_path, read_key
from faceedge.door.rotation import Holding
from faceedge.errors import BadInput, StoreError


def add_list(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door list`."""
    add_action(
        actions, "list", run_list, "all controllers and the names of their keys", "faceedge door list",
        "Those of the configuration, and those that have a key file. Exit code 1 when a key that the configuration "
        "needs is missing or cannot be used.",
    )  # fmt: skip


def add_remove(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door remove`."""
    parser = add_action(
        actions, "remove", run_remove, "delete the keys of a controller",
        "faceedge door remove main --controller inner",
        "The controller can open nothing for this device any more, once the daemon is started again. Says what to take "
        "out of the configuration.",
    )  # fmt: skip
    add_names(parser)
    add_yes(parser)


def run_list(args: argparse.Namespace) -> int:
    """One line a controller."""
    site = Site.of(args)
    found = rotation.holdings(site.state, site.settings.door)
    if args.json:
        opening.print_json({"controllers": [dataclasses.asdict(holding) for holding in found]})
    else:
        for holding in found:
            print(f"{holding.door}/{holding.controller}  {_words(holding)}")
        if not found:
            print("no door yet; begin with: faceedge door add main")
    return 1 if any(holding.named and holding.fault for holding in found) else 0


def run_remove(args: argparse.Namespace) -> int:
    """Deletes the keys, if that is meant."""
    site = Site.of(args)
    at = site.address(args)
    if (at.door, at.controller) not in rotation.on_disk(site.state):
        raise BadInput(f"door {at.door}, controller {at.controller} has no key; see faceedge door list")
    if not is_sure(args, f"Controller {at.controller} will open door {at.door} no more."):
        print("nothing done")
        return 1
    key = _key(site, at)
    rotation.remove(site.state, at.door, at.controller)
    note(site.state, "removed", at, key)
    take_out = _take_out(site.settings, at)
    if args.json:
        opening.print_json({
            "door": at.door, "controller": at.controller, "kid": key.kid if key else None, "take_out": take_out,
        })  # fmt: skip
        return 0
    print(f"door {at.door}, controller {at.controller}: no key any more")
    if take_out:
        print(f"Take this out of the configuration, or the daemon will not start again: {take_out}")
    print("Start the daemon anew, or send it a reload; until then it still uses the key.")
    return 0


def _words(holding: Holding) -> str:
    if holding.fault:
        return f"FAULT {holding.fault}"
    words = [f"key {holding.kid}"]
    if holding.is_rotating:
        end = f"faceedge door key finish {holding.door} --controller {holding.controller}"
        words.append(f"and new key {holding.next_kid}: both open; end it with: {end}")
    if not holding.named:
        words.append("(no [[door]] names it)")
    return "  ".join(words)


def _key(site: Site, at: Address) -> DoorKey | None:
    try:
        return read_key(key_path(site.state, at.door, at.controller))
    except StoreError:
        return None  # a damaged file goes, too


def _take_out(settings: Config, at: Address) -> str:
    """What of the configuration names this controller; empty when nothing does."""
    for door in settings.door:
        if door.name == at.door and at.controller in door.controllers:
            section = f'the [[door]] with name = "{door.name}"'
            return (
                f'"{at.controller}" in controllers of {section}' if len(door.controllers) > 1 else f"all of {section}"
            )
    return ""
