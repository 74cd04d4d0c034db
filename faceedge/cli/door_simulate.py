"""`faceedge door simulate`: the reference controller as a process of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from faceedge.cli.door_face import JsonFace, PlainFace
from faceedge.cli.door_site import Commands, Site, add_action
from faceedge.door.contract import Address
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.keys import checked_name, key_path, read_key


def add(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door simulate`."""
    parser = add_action(
        actions, "simulate", run, "play a door controller until SIGTERM",
        "faceedge door simulate --door main --state /var/lib/faceedge --json | jq .event",
        "The reference controller: asks every second, verifies each grant, opens or says why not. One line an event; "
        "`opened` and `closed` are its relay.",
    )  # fmt: skip
    parser.add_argument("--door", default="main", help="name of the door (default: main)")
    parser.add_argument("--controller", default="main", help="name of the controller (default: main)")
    parser.add_argument("--device", help="name of the device (default: that of the configuration)")
    parser.add_argument(
        "--key-file", type=Path, action="append", metavar="FILE",
        help="the controller's key (default: the one in the state directory); twice while it is replaced: the first "
        "one signs, both open",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Runs the reference controller until SIGTERM or Ctrl-C."""
    site = Site.of(args)
    address = Address(*map(checked_name, (args.device or site.settings.device, args.door, args.controller)))
    keys = [read_key(path) for path in args.key_file or [key_path(site.state, args.door, args.controller)]]
    stop = threading.Event()
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda *_: stop.set())
    tell = JsonFace(address) if args.json else PlainFace(address)
    Controller(site.settings.broker, address, keys, _until_nobody_reads(tell, stop)).run(stop)
    return 0


def _until_nobody_reads(tell: Callable[[DoorEvent], None], stop: threading.Event) -> Callable[[DoorEvent], None]:
    """Ends the controller when its output is a pipe that has closed."""

    def told(event: DoorEvent) -> None:
        try:
            tell(event)
        except BrokenPipeError:
            sys.stdout = None  # nothing more to flush at exit
            stop.set()

    return told
