"""`faceedge config`: writes the first configuration file of a door, and checks one before a daemon meets it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from faceedge import config as configuration
from faceedge.cli import opening
from faceedge.cli.door_site import Commands
from faceedge.door.uplink import Uplink
from faceedge.errors import BadInput, ConfigError, StoreError
from faceedge.files import write_whole

PORTS = {"mqtt": 1883, "mqtts": 8883}
HEAD = "# The configuration of this door: docs/door.md and docs/operate.md say what else there is.\n"
MODE = 0o640
"""Addresses of cameras may hold passwords: for root, and the group of the service."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `config new|check`."""
    parser = commands.add_parser(
        "config",
        help="write the first configuration file, or check one",
        description="The configuration is one TOML file. Commands and the daemon read the same one.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_new(actions)
    opening.add_action(
        actions, "check", run_check, "whether a daemon could start with a file", "faceedge config check",
        "Keys, values, cameras, certificates and passwords of the broker; keys of doors are told by `faceedge door "
        "list`. Nothing is changed.",
    )  # fmt: skip


def _add_new(actions: Commands[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "new",
        help="write a first file",
        description="Writes a file for one camera and one door. It is checked first, and a file that is there stays.",
        epilog="Example: faceedge config new --out door.toml --camera rtsp://192.168.1.20/stream --door main "
        "--broker mqtts://broker.example:8883 --broker-ca ca.pem",
    )
    parser.add_argument("--out", type=opening.a_path, required=True, metavar="FILE", help="new file")
    parser.add_argument("--camera", required=True, metavar="URI", help="/dev/video0, csi:0, rtsp://…, file:clip.mp4")
    parser.add_argument("--loop", action="store_true", help="play a file over and over")
    parser.add_argument("--door", default="main", metavar="NAME", help="the door it looks at (default: main)")
    parser.add_argument("--device", default="faceedge", metavar="NAME", help="this device (default: faceedge)")
    parser.add_argument(
        "--broker", default="mqtt://127.0.0.1:1883", metavar="URL",
        help="mqtt://host:port, or mqtts:// with TLS (default: mqtt://127.0.0.1:1883)",
    )  # fmt: skip
    parser.add_argument("--broker-pin", default="", metavar="HEX", help="SHA-256 of its certificate, in place of a CA")
    parser.add_argument("--broker-ca", type=opening.a_path, metavar="FILE", help="certificate that signed the broker's")
    parser.add_argument("--broker-user", default="", metavar="NAME", help="user name at the broker")
    parser.add_argument("--broker-password-file", type=opening.a_path, metavar="FILE", help="holds the password, 0600")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.set_defaults(run=run_new)


def run_new(args: argparse.Namespace) -> int:
    """Writes the file, if none is there and this one would do."""
    if args.out.exists():
        raise BadInput(f"{args.out}: is there already; change it with an editor, or move it away")
    content = _text(args).encode()
    scratch = args.out.with_name(f".{args.out.name}.unchecked")
    try:
        write_whole(scratch, content, MODE)
        checked(scratch)
        scratch.replace(args.out)
    except ConfigError as error:
        raise BadInput(str(error).replace(str(scratch), "these words do not make a configuration")) from error
    except OSError as error:
        raise StoreError(f"{args.out}: {error.strerror}; name a folder that can be written") from error
    finally:
        scratch.unlink(missing_ok=True)
    return _tell(args, args.out, "written")


def run_check(args: argparse.Namespace) -> int:
    """One line when it will do; raises ConfigError with the fault when not."""
    path = configuration.chosen_path(args.config)
    checked(path)
    return _tell(args, path, "good")


def checked(path: Path | None) -> configuration.Config:
    """The file, with what a start would refuse beside keys of doors. Raises ConfigError, StoreError."""
    settings = configuration.load(path)
    if not settings.camera:
        raise ConfigError(f'{path}: no camera; add [[camera]] with uri = "rtsp://…", "/dev/video0" or "file:clip.mp4"')
    Uplink(settings.broker, settings.device)
    return settings


def _tell(args: argparse.Namespace, path: Path | None, what: str) -> int:
    if args.json:
        opening.print_json({"path": str(path) if path else None, what: True})
    else:
        print(f"{path or 'without a file'}: {what}")
    return 0


def _text(args: argparse.Namespace) -> str:
    camera: dict[str, Any] = {"name": "entry", "uri": args.camera}
    if args.loop:
        camera["loop"] = True
    door = {"name": args.door, "cameras": ["entry"], "controllers": ["main"]}
    tables = (("[broker]", _broker(args)), ("[[camera]]", camera), ("[[door]]", door))
    head = HEAD + tomli_w.dumps({"device": args.device})
    return "\n".join([head, *(f"{name}\n{tomli_w.dumps(table)}" for name, table in tables)])


def _broker(args: argparse.Namespace) -> dict[str, Any]:
    """Raises BadInput for a URL that names no broker, or a password."""
    try:
        url = urlsplit(args.broker)
        port = url.port or PORTS[url.scheme]
    except (KeyError, ValueError):
        raise BadInput(f"--broker {args.broker!r}: is mqtt://host:port, or mqtts://host:port with TLS") from None
    if not url.hostname or url.path.strip("/") or url.query or url.username or url.password:
        raise BadInput("--broker is mqtt://host:port and no more; user and password have flags of their own")
    broker: dict[str, Any] = {"host": url.hostname, "port": port}
    if url.scheme == "mqtts":
        broker["tls"] = True
    given = {
        "ca_file": args.broker_ca and str(args.broker_ca.absolute()),
        "pin": args.broker_pin,
        "username": args.broker_user,
        "password_file": args.broker_password_file and str(args.broker_password_file.absolute()),
    }
    return broker | {key: value for key, value in given.items() if value}
