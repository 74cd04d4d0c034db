"""`faceedge lockdown`: keeps every door of this device shut, by hand and without a broker."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

from faceedge import config, lockdown
from faceedge.cli import noting, opening
from faceedge.errors import BadInput


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `lockdown on|off|show`."""
    parser = commands.add_parser(
        "lockdown",
        help="keep every door shut, until it is lifted",
        description="While there is a lockdown the device opens no door for anybody. It outlasts restarts, power cuts "
        "and restored backups. Request-to-exit buttons and keys work as ever: they do not ask this device.",
        epilog="Example: faceedge lockdown on",
    )
    parser.add_argument(
        "what", metavar="on|off|show", choices=("on", "off", "show"), help="switch it, or show whether it is on"
    )
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Switches or shows."""
    state = config.state_dir(config.load(args.config))
    if not state.is_dir():
        raise BadInput(f"{state}: no state directory; set state_dir or FACEEDGE_STATE to that of the device")
    if args.what != "show":
        on = args.what == "on"
        lockdown.switch(state, on)
        noting.note(state, "command", {"cmd": "lockdown", "args": {"on": int(on)}, "key": None, "ok": True, "why": ""})
    _show(state, args)
    return 0


def _show(state: Path, args: argparse.Namespace) -> None:
    on, at_s = lockdown.is_on(state), lockdown.since(state)
    since = datetime.fromtimestamp(at_s).astimezone().isoformat(timespec="seconds") if at_s is not None else None
    if args.json:
        opening.print_json({"on": on, "since": since})
    elif on:
        print(f"lockdown since {since or 'a time not known'}: no door opens; end it with: faceedge lockdown off")
    else:
        print("no lockdown")
