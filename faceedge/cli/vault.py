"""`faceedge vault`: the keys that everything about people is sealed with."""

from __future__ import annotations

import argparse

from faceedge import config
from faceedge.cli import opening
from faceedge.errors import BadInput
from faceedge.gallery import rotate


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `vault rotate|erase`."""
    parser = commands.add_parser(
        "vault",
        help="the keys that names, templates and pictures are sealed with",
        description="A data key seals every name, template and picture; the device key of this board wraps the data "
        "key. Without the device key nothing of the gallery can be read or searched.",
        epilog="Example: faceedge vault rotate",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_rotate(actions)
    _add_erase(actions)


def _add_rotate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "rotate",
        help="a new device key, and with --data a new data key",
        description="Makes a new device key and wraps the data key with it; the old key is overwritten. With --data "
        "everything is sealed anew too, in one transaction. A daemon that runs goes on. Whatever happens in the "
        "middle, the gallery opens with the old key or with the new one.",
        epilog="Example: faceedge vault rotate --data     after a copy of the state directory was lost",
    )
    parser.add_argument("--data", action="store_true", help="a new data key as well; writes every row once")
    parser.add_argument(
        "--key", metavar="FILE", type=opening.a_path,
        help="take the new device key from FILE (32 bytes, 0600), to hand it to systemd-creds; the key file of the "
        "state directory is destroyed",
    )  # fmt: skip
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_rotate)


def _add_erase(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "erase",
        help="destroy the keys: nobody can read the gallery ever again",
        description="Overwrites and deletes the device key and the wrapped data key. What is sealed stays where it is "
        "and means nothing to anybody, also not to you. A flash drive may keep the old blocks of the key until it "
        "needs them: where that matters, keep the key in a TPM through systemd-creds, or destroy the drive. Encrypted "
        "backups and exports open with their passphrase as before.",
        epilog="Example: faceedge vault erase --yes",
    )
    parser.add_argument("--yes", action="store_true", help="really")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_erase)


def run_rotate(args: argparse.Namespace) -> int:
    """New keys."""
    state = config.state_dir(config.load(args.config))
    with opening.progress_bar() as progress:
        done = rotate.rotate(state, data=args.data, given=args.key, progress=progress)
    if args.json:
        document = {"device_key": str(done.device_key), "data_key": done.data_key, "sealed_anew": done.cells}
        opening.print_json(document)
        return 0
    print(f"new device key: {done.device_key}")
    if args.data:
        print(f"new data key: number {done.data_key}, {opening.counted(done.cells, 'value')} sealed anew")
    if args.key is not None:
        print(f"The gallery now opens with {args.key} only: encrypt it with systemd-creds, then delete it.")
    return 0


def run_erase(args: argparse.Namespace) -> int:
    """No keys."""
    state = config.state_dir(config.load(args.config))
    if not args.yes:
        raise BadInput(f"this makes everybody in {state / 'gallery.db'} unreadable for ever; add --yes")
    gone = rotate.erase(state)
    if args.json:
        opening.print_json({"destroyed": [str(path) for path in gone]})
        return 0
    for path in gone:
        print(f"destroyed {path}")
    print(
        f"Nothing in {state / 'gallery.db'} opens any more; delete it to begin anew, and restart the daemon, which "
        "holds the key in memory. Backups and exports still open with their passphrases."
    )
    return 0
