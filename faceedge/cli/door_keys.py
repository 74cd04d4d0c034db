"""`faceedge door add` and `faceedge door key`: a controller's key is made, handed over once, replaced."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from faceedge.cli import noting, opening
from faceedge.cli.door_site import Commands, Site, add_action, add_names
from faceedge.door import handover, rotation
from faceedge.door.contract import Address, DoorKey
from faceedge.door.keys import keys_of, make_key, read_key
from faceedge.door.probe import Probe
from faceedge.errors import BadInput, FaceedgeError, StoreError

LISTEN_S = 3.0


def add_add(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door add`."""
    parser = add_action(
        actions, "add", run_add, "make the key of a controller",
        "faceedge door add main --controller inner --serial /dev/ttyUSB0",
        "Makes a secret key that this device and one controller share, in a file that only you can read, and hands it "
        "over once: copy the file by hand, or let --serial write it or --qr draw it. It never travels over MQTT, and "
        "no command shows it again; `faceedge door key rotate` makes a new one.",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="the door, as in [[door]] name")
    parser.add_argument("--controller", default="main", metavar="C", help="one of its controllers (default: main)")
    _add_handover(parser)


def add_key(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door key rotate|finish|cancel`."""
    parser = actions.add_parser(
        "key",
        help="replace the key of a controller while the door goes on working",
        description="rotate makes a new key beside the old one; both are good. Start the daemon anew so that it knows "
        "both, give the controller the new one, see that `faceedge door test` says so, then finish drops the old one.",
    )
    steps = parser.add_subparsers(title="steps", metavar="STEP", required=True)
    begin = add_action(
        steps, "rotate", run_rotate, "make a new key beside the old one", "faceedge door key rotate main --qr"
    )
    add_names(begin)
    _add_handover(begin)
    _add_end(steps, "finish", "drop the old key", run_finish)
    _add_end(steps, "cancel", "drop the new key", run_cancel)


def _add_handover(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--qr", action="store_true",
        help="draw the key as a QR code on this terminal; a camera behind you can read it, too",
    )  # fmt: skip
    parser.add_argument("--serial", metavar="TTY", help="write the key to a serial line, as one line, 115200 8N1")


def _add_end(
    steps: Commands[argparse.ArgumentParser], verb: str, purpose: str, run: Callable[[argparse.Namespace], int]
) -> None:
    parser = add_action(
        steps, verb, run, purpose, f"faceedge door key {verb} main",
        f"Listens to the controller for {LISTEN_S:g} s first: exit code 1, and nothing is done, unless it uses the key "
        "that stays.",
    )  # fmt: skip
    add_names(parser)
    parser.add_argument(
        "--unheard", action="store_true", help="do not listen: the controller is off, or being replaced"
    )


def run_add(args: argparse.Namespace) -> int:
    """Makes the key and hands it over."""
    site = Site.of(args)
    _check_handover(args)
    path = make_key(site.state, args.name, args.controller)
    at = Address(site.settings.device, args.name, args.controller)
    key = read_key(path)
    note(site.state, "made", at, key)
    _tell_key(args, at, key, path)
    if not args.json and not site.names(at.door, at.controller):
        print(f'The daemon does not know it yet: add "{at.controller}" to controllers of the [[door]] "{at.door}".')
    return 0


def run_rotate(args: argparse.Namespace) -> int:
    """Makes the new key and hands it over."""
    site = Site.of(args)
    _check_handover(args)
    at = site.address(args)
    key, path = rotation.begin(site.state, at.door, at.controller)
    note(site.state, "rotation begun", at, key)
    _tell_key(args, at, key, path)
    if not args.json:
        print("Both keys are good until `faceedge door key finish`.")
        print("Start the daemon anew, or send it a reload, before the controller changes.")
    return 0


def run_finish(args: argparse.Namespace) -> int:
    """Drops the old key, if the controller uses the new one."""
    return _end(args, "rotation finished", rotation.finish, stays=1)


def run_cancel(args: argparse.Namespace) -> int:
    """Drops the new key, if the controller uses the old one."""
    return _end(args, "rotation cancelled", rotation.cancel, stays=0)


def note(state: Path, what: str, at: Address, key: DoorKey | None) -> None:
    """Into the journal, by the key's name."""
    kid = key.kid if key else None
    noting.note(state, "key", {"what": what, "door": at.door, "controller": at.controller, "key": kid})


def _end(
    args: argparse.Namespace, what: str, step: Callable[[Path, str, str], tuple[DoorKey, DoorKey]], stays: int
) -> int:
    site = Site.of(args)
    at = site.address(args)
    keys = keys_of(site.state, at.door, at.controller)
    if len(keys) > 1 and not args.unheard:
        used = _key_in_use(site, at, keys)
        if used != keys[stays].kid:
            says = f"uses key {used}, not {keys[stays].kid}" if used else "does not answer"
            print(
                f"nothing done: controller {at.controller} {says}; `faceedge door test {at.door}` shows more, "
                "--unheard goes on without it",
                file=sys.stderr,
            )
            return 1
    both = step(site.state, at.door, at.controller)
    note(site.state, what, at, both[stays])
    if args.json:
        opening.print_json({"door": at.door, "controller": at.controller, "kid": both[stays].kid})
    else:
        print(f"key {both[stays].kid} stays, key {both[1 - stays].kid} is gone.")
        print("Start the daemon anew, or send it a reload; until then it still knows both.")
    return 0


def _key_in_use(site: Site, at: Address, keys: tuple[DoorKey, ...]) -> str:
    with Probe(site.settings.broker, at, keys) as probe:
        return probe.listen(LISTEN_S).kid


def _check_handover(args: argparse.Namespace) -> None:
    """Before a key is made that could then not be drawn."""
    if args.qr and (args.json or not sys.stdout.isatty()):
        raise BadInput("--qr draws the key: only on a terminal, and not with --json")


def _tell_key(args: argparse.Namespace, at: Address, key: DoorKey, path: Path) -> None:
    """Hands the key over as asked. Raises FaceedgeError when that fails; the file still has it."""
    try:
        _hand_over(args, handover.line(at, key))
    except FaceedgeError as error:
        raise StoreError(f"{error}; the key is made, copy it by hand: {path}") from error
    if args.json:
        opening.print_json({"door": at.door, "controller": at.controller, "path": str(path), "kid": key.kid})
        return
    print(f"key {key.kid} of door {at.door}, controller {at.controller}: {path}")
    if args.serial is None and not args.qr:
        print("Copy this file to the controller by hand; it never travels over MQTT. Whoever has it opens the door.")


def _hand_over(args: argparse.Namespace, text: str) -> None:
    if args.serial is not None:
        handover.speak(text, args.serial)
    if args.qr:
        print("Whoever photographs this can open the door. Clear the screen when the controller has it.")
        handover.draw(text, sys.stdout)
