"""`faceedge door`: makes the key of a controller, and plays a controller that verifies and opens."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from faceedge import config as configuration
from faceedge.cli import noting
from faceedge.config import Config
from faceedge.door.contract import Address
from faceedge.door.controller import Controller, DoorEvent
from faceedge.door.keys import checked_name, key_path, make_key, read_key

_STYLES = {"opened": "bold green", "refused": "bold red", "disconnected": "yellow", "ignored": "yellow"}

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door add` and `door simulate`."""
    parser = commands.add_parser(
        "door",
        help="doors and their controllers: make keys, simulate a controller",
        description="A controller opens only for grants signed with its own key that answer its own challenge.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_add(actions)
    _add_simulate(actions)


def _add_add(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "add",
        help="make the key of a controller",
        description="Makes a secret key that this device and one controller share, in a file that only you can read. "
        "Copy the file to the controller by hand; it never travels over MQTT.",
        epilog="Example: faceedge door add main --controller inner",
    )
    parser.add_argument("name", metavar="NAME", help="the door, as in [[door]] name")
    parser.add_argument("--controller", default="main", help="one of the door's controllers (default: main)")
    _add_common(parser, "print one JSON document: path and kid (the key's name), never the key")
    parser.set_defaults(run=run_add)


def _add_simulate(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "simulate",
        help="play a door controller until SIGTERM",
        description="The reference controller: asks every second, verifies each grant, opens or says why not. "
        "One line an event; `opened` and `closed` are its relay.",
        epilog="Example: faceedge door simulate --door main --state /var/lib/faceedge --json | jq .event",
    )
    parser.add_argument("--door", default="main", help="name of the door (default: main)")
    parser.add_argument("--controller", default="main", help="name of the controller (default: main)")
    parser.add_argument("--device", help="name of the device (default: that of the configuration)")
    parser.add_argument("--key-file", type=Path, help="the controller's key (default: the one in the state directory)")
    _add_common(parser, "print one JSON document a line and event")
    parser.set_defaults(run=run_simulate)


def _add_common(parser: argparse.ArgumentParser, json_help: str) -> None:
    parser.add_argument(
        "--config", type=Path, help="TOML file (default: $FACEEDGE_CONFIG, /etc/faceedge/faceedge.toml)"
    )
    parser.add_argument("--state", type=Path, help="state directory (default: that of the configuration)")
    parser.add_argument("--json", action="store_true", help=json_help)


def run_add(args: argparse.Namespace) -> int:
    """Makes the key and says where it lies."""
    state = _state(args, configuration.load(args.config))
    path = make_key(state, args.name, args.controller)
    kid = read_key(path).kid
    noting.note(state, "key", {"door": args.name, "controller": args.controller, "key": kid})
    if args.json:
        print(json.dumps({"door": args.name, "controller": args.controller, "path": str(path), "kid": kid}))
    else:
        print(f"key {kid} of door {args.name}, controller {args.controller}: {path}")
        print(
            "Copy this file to the controller by hand, then keep it or delete the copy; whoever has it opens the door."
        )
    return 0


def run_simulate(args: argparse.Namespace) -> int:
    """Runs the reference controller until SIGTERM or Ctrl-C."""
    settings = configuration.load(args.config)
    address = Address(*map(checked_name, (args.device or settings.device, args.door, args.controller)))
    path = args.key_file or key_path(_state(args, settings), args.door, args.controller)
    stop = threading.Event()
    for kind in (signal.SIGTERM, signal.SIGINT):
        signal.signal(kind, lambda *_: stop.set())
    tell = _JsonFace(address) if args.json else _TerminalFace(address)
    Controller(settings.broker, address, [read_key(path)], _until_nobody_reads(tell, stop)).run(stop)
    return 0


class _JsonFace:
    """Events as JSON lines, always with all keys."""

    def __init__(self, address: Address) -> None:
        self._where = {"door": address.door, "controller": address.controller}

    def __call__(self, event: DoorEvent) -> None:
        line = {"time": datetime.now().astimezone().isoformat(), **self._where, **dataclasses.asdict(event)}
        print(json.dumps(line), flush=True)


class _TerminalFace:
    """Events as one line each, coloured where there is a terminal."""

    def __init__(self, address: Address) -> None:
        self._where = f"{address.door}/{address.controller}"
        self._console = Console(soft_wrap=True)

    def __call__(self, event: DoorEvent) -> None:
        line = Text(f"{datetime.now():%H:%M:%S}  {self._where}  ")
        line.append(f"{event.event:<12}", _STYLES.get(event.event, ""))
        self._console.print(line.append(_detail(event)))


def _detail(event: DoorEvent) -> str:
    if event.event == "opened":
        return f"for {event.pulse_ms / 1000:g} s: {event.reason}, {event.sub or 'nobody named'}"
    if event.event == "ignored":
        return f"{event.count} messages so far opened nothing"
    return event.why


def _until_nobody_reads(tell: Callable[[DoorEvent], None], stop: threading.Event) -> Callable[[DoorEvent], None]:
    """Ends the controller when its output is a pipe that has closed."""

    def told(event: DoorEvent) -> None:
        try:
            tell(event)
        except BrokenPipeError:
            sys.stdout = None  # nothing more to flush at exit
            stop.set()

    return told


def _state(args: argparse.Namespace, settings: Config) -> Path:
    return args.state or configuration.state_dir(settings)
