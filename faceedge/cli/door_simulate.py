"""`faceedge door simulate`: the reference controller as a process of its own, with a relay or without."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from faceedge.cli.door_face import JsonFace, PanelFace, PlainFace
from faceedge.cli.door_site import Commands, Site, add_action
from faceedge.cli.lines import JsonLines
from faceedge.door.contract import Address
from faceedge.door.controller import Controller
from faceedge.door.http_relay import HttpRelay
from faceedge.door.keys import checked_name, key_path, read_key, read_secret
from faceedge.door.latch import MAX_PULSE_MS
from faceedge.door.relays import GpioContact, GpioRelay, NoRelay, Relay
from faceedge.errors import BadInput

MOST_WAITING = 1000
"""Lines that a slow reader may be behind by before the oldest are dropped."""


class Stop:
    """The wish to end. No `threading.Event`: set in a signal handler, it could wait for its own thread for ever."""

    def __init__(self) -> None:
        self._is_wished = False

    def set(self, *_: object) -> None:
        """From a signal handler, or any thread."""
        self._is_wished = True

    def wait(self, timeout: float) -> bool:
        """Sleeps, and says whether it was wished."""
        time.sleep(timeout)
        return self._is_wished


def add(actions: Commands[argparse.ArgumentParser]) -> None:
    """Adds `door simulate`."""
    parser = add_action(
        actions, "simulate", run, "play a door controller until SIGTERM",
        "faceedge door simulate --door main --gpio /dev/gpiochip0:17:low",
        "The reference controller: asks every second, verifies each grant, opens or says why not. On a terminal a "
        "panel shows the door, else one line an event: `opened` and `closed` say what the relay did. The verdict says "
        "`opened` only when the relay has obeyed within a second; a relay in doubt is told off until it obeys.",
    )  # fmt: skip
    parser.add_argument("--door", default="main", help="name of the door (default: main)")
    parser.add_argument("--controller", default="main", help="name of the controller (default: main)")
    parser.add_argument("--device", help="name of the device (default: that of the configuration)")
    parser.add_argument(
        "--key-file", type=Path, action="append", metavar="FILE",
        help="the controller's key (default: the one in the state directory); twice while it is replaced: the first "
        "one signs, both open",
    )  # fmt: skip
    parser.add_argument("--plain", action="store_true", help="one line an event, also on a terminal")
    _add_relay(parser)


def _add_relay(parser: argparse.ArgumentParser) -> None:
    relay = parser.add_argument_group("relay", "without any of these nothing is moved")
    relay.add_argument("--gpio", metavar="CHIP:LINE[:low]", help="a line of this machine, low: the relay pulls at 0 V")
    relay.add_argument(
        "--http-on", metavar="URL", help="a relay of the network; {ms} and {s} become the pulse, {s} rounded up"
    )
    relay.add_argument("--http-off", metavar="URL", help="ends the pulse; may be left out if the relay counts itself")
    relay.add_argument(
        "--http-password", type=Path, metavar="FILE", help="holds user:password for both (basic), mode 0600"
    )
    relay.add_argument(
        "--max-pulse", type=int, default=MAX_PULSE_MS, metavar="MS",
        help=f"no pulse is longer, whatever a grant says (default and most: {MAX_PULSE_MS})",
    )  # fmt: skip
    relay.add_argument(
        "--contact", metavar="CHIP:LINE[:low]",
        help="a contact to ground, closed while the door is shut (low: while it is open); tells `held_open`",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Runs the reference controller until SIGTERM or Ctrl-C."""
    site = Site.of(args)
    address = Address(*map(checked_name, (args.device or site.settings.device, args.door, args.controller)))
    if not 1 <= args.max_pulse <= MAX_PULSE_MS:
        raise BadInput(f"--max-pulse: name 1 to {MAX_PULSE_MS} ms")
    keys = [read_key(path) for path in args.key_file or [key_path(site.state, args.door, args.controller)]]
    stop = Stop()
    _listen_to_signals(stop)
    relay = _relay(args)
    lines = JsonLines(sys.stdout.fileno(), MOST_WAITING)
    lines.on_gone = stop.set
    face = _face(args, address, lines)
    try:
        controller = Controller(
            site.settings.broker, address, keys, face, relay=relay, max_pulse_ms=args.max_pulse,
            stands_open=GpioContact.parse(args.contact) if args.contact else _shut,
        )  # fmt: skip
    except BaseException:
        relay.close()
        raise
    with face.shown(controller) if isinstance(face, PanelFace) else nullcontext(), lines:
        controller.run(stop)
    return 0


def _listen_to_signals(stop: Stop) -> None:
    """A terminal that closes is an end as good as any: the relay is told off."""
    for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if kind != signal.SIGHUP or signal.getsignal(kind) != signal.SIG_IGN:  # as nohup leaves it
            signal.signal(kind, stop.set)


def _face(args: argparse.Namespace, address: Address, lines: JsonLines) -> JsonFace | PlainFace | PanelFace:
    if args.json:
        return JsonFace(address, lines)
    return PlainFace(address, lines) if args.plain or not sys.stdout.isatty() else PanelFace(address)


def _relay(args: argparse.Namespace) -> Relay:
    """Raises BadInput, MissingExtra, StoreError."""
    if args.gpio and args.http_on:
        raise BadInput("one relay only: --gpio or --http-on")
    if args.gpio:
        return GpioRelay.parse(args.gpio)
    if args.http_on:
        password = read_secret(args.http_password).decode("utf-8", "replace") if args.http_password else None
        return HttpRelay(args.http_on, args.http_off or "", password)
    if args.http_off or args.http_password:
        raise BadInput("--http-off and --http-password need --http-on")
    return NoRelay()


def _shut() -> bool:
    """Without a contact."""
    return False
