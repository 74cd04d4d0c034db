"""`faceedge command`: the site's hand on a device, over MQTT."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceedge import config as configuration
from faceedge.cli import opening
from faceedge.config import Broker
from faceedge.door.asking import Answer, Device, ask
from faceedge.door.keys import checked_name
from faceedge.door.orders import ORDERS, read_values
from faceedge.door.site_key import read_site_secret
from faceedge.errors import BadInput
from faceedge.journal.signing import public_path, read_public

LONGEST_WAIT_S = 600.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `command`."""
    parser = commands.add_parser(
        "command",
        help="send a signed command to a device and wait for its signed answer",
        description="Signs a command with the private site key, sends it over MQTT, and waits for the answer that the "
        "device has signed. Exit code 0: done; 1: the device refused; 2: no answer, or bad input.",
        epilog="Examples: faceedge command ping --key site.key --device entrance --device-key journal.pub; "
        "faceedge command confirm decision=0123456789abcdef --key site.key",
    )
    parser.add_argument("name", metavar="NAME", choices=ORDERS, help="; ".join(map(_described, ORDERS)))
    parser.add_argument("args", metavar="KEY=VALUE", nargs="*", help="what the command takes")
    parser.add_argument("--key", type=opening.a_path, required=True, metavar="FILE", help="the private site key")
    parser.add_argument("--device", metavar="D", help="name of the device (default: that of the configuration)")
    parser.add_argument(
        "--device-key", type=opening.a_path, metavar="FILE",
        help="public key of the device, its keys/journal.pub, or its state directory; proves the answer",
    )  # fmt: skip
    parser.add_argument("--broker", metavar="HOST[:PORT]", help="other than in [broker] of the configuration")
    parser.add_argument("--wait", type=_seconds, default=10.0, metavar="S", help="how long to wait (default: 10)")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Asks, and says what the device answered."""
    values = read_values(args.name, args.args)
    secret = read_site_secret(args.key)
    settings = configuration.load(args.config)
    key = read_public(_public_path(args.device_key)) if args.device_key else None
    device = Device(checked_name(args.device or settings.device), key)
    with _quiet():
        answer = ask(_broker(settings.broker, args.broker), device, secret, args.name, values, args.wait)
    _tell(args, device, answer)
    return 0 if answer.ok else 1


def _tell(args: argparse.Namespace, device: Device, answer: Answer) -> None:
    if args.json:
        opening.print_json({"device": device.name, "command": args.name, **dataclasses.asdict(answer)})
        return
    print(f"{device.name}: {args.name} done" if answer.ok else f"{device.name}: {args.name} refused: {answer.why}")
    if not answer.is_proven:
        print(
            "faceedge: nothing proves that the device said so; name its public key with --device-key", file=sys.stderr
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Only what goes wrong with the connection is worth a line."""
    log = logging.getLogger("faceedge.door")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


def _described(name: str) -> str:
    takes = " ".join(f"{key}=…" for key in ORDERS[name].takes.model_fields)
    return f"{name}{' ' if takes else ''}{takes}: {ORDERS[name].purpose}"


def _public_path(path: Path) -> Path:
    return public_path(path) if path.is_dir() else path


def _broker(broker: Broker, text: str | None) -> Broker:
    """The configured broker, at another address if one is named."""
    if text is None:
        return broker
    host, _, port = text.rpartition(":")
    if text.count(":") != 1:  # a name, or an IPv6 address
        return broker.model_copy(update={"host": text})
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise BadInput(f"{text!r} is no address of a broker; write HOST or HOST:PORT")
    return broker.model_copy(update={"host": host, "port": int(port)})


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, at most {LONGEST_WAIT_S:g}")
    return seconds
