"""`faceedge backup` and `faceedge restore`: the state of a device in one encrypted file, and back."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone

from faceedge import config
from faceedge.cli import opening, passphrase
from faceedge.jobs.backup import backup
from faceedge.jobs.restore import Restored, restore


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `backup` and `restore`."""
    _add_backup(commands)
    _add_restore(commands)


def _add_backup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "backup",
        help="people, rules and journal into one encrypted file, also while the daemon runs",
        description="Writes the databases and the keys they need into FILE, encrypted with a passphrase. Keys of doors "
        "and the device key stay on this board. An older backup of that name is replaced.",
        epilog="Example: faceedge backup /media/stick/door-1.faceedge",
    )
    parser.add_argument("file", metavar="FILE", type=opening.a_path, help="the backup to write")
    parser.add_argument("--models", action="store_true", help="with the model packages of the state directory")
    passphrase.add_flag(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_backup)


def _add_restore(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "restore",
        help="a backup onto a new board",
        description="Builds the state directory anew from a backup, checks it, and only then puts it in place. The "
        "device key of this board takes over. Keys of doors are not in a backup: every door needs a new one. Stop the "
        "daemon first. People who were removed after the backup was made are back, and blocks and rules are those of "
        "then: remove and block again.",
        epilog="Example: faceedge restore /media/stick/door-1.faceedge",
    )
    parser.add_argument("file", metavar="FILE", type=opening.a_path, help="the backup")
    parser.add_argument(
        "--to", metavar="DIR", type=opening.a_path, help="state directory (default: that of the configuration)"
    )
    parser.add_argument("--force", action="store_true", help="replace the databases that are there")
    passphrase.add_flag(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run_restore)


def run_backup(args: argparse.Namespace) -> int:
    """Writes a backup."""
    state = config.state_dir(config.load(args.config))
    phrase = passphrase.ask(args, is_new=True)
    with opening.progress_bar() as progress:
        made = backup(state, args.file, phrase, progress, models=args.models)
    if args.json:
        opening.print_json(
            {"id": made.id, "path": str(made.path), "bytes": made.bytes, "people": made.people, "files": made.files}
        )
        return 0
    people = f"{made.people} {'person' if made.people == 1 else 'people'}"
    print(f"{made.path}: {made.bytes / 1e6:.1f} MB, {people}, {', '.join(made.files[:4])}")
    print("Without the passphrase nobody can read it. Keys of doors and of this device are not in it.")
    return 0


def run_restore(args: argparse.Namespace) -> int:
    """Puts a backup in place."""
    state = args.to or config.state_dir(config.load(args.config))
    phrase = passphrase.ask(args, is_new=False)
    with opening.progress_bar() as progress:
        done = restore(args.file, state, phrase, progress, force=args.force)
    if args.json:
        opening.print_json(
            {
                "state": str(done.state), "backup_made": _time(done.made), "people": done.people,
                "templates": done.templates, "files": done.files, "door_keys_there": done.doors,
                "door_keys_needed": True, "back": done.back,
                "new_device_key": str(done.new_key) if done.new_key is not None else None,
            }
        )  # fmt: skip
    else:
        _print(done)
    return 0


def _print(done: Restored) -> None:
    people = f"{done.people} {'person' if done.people == 1 else 'people'}"
    print(f"{done.state}: {people}, {opening.counted(done.templates, 'template')}, as of {_time(done.made)}")
    if done.back:
        print(f"Removed, and back now: {', '.join(done.back)}; end it with: faceedge people remove ID")
    print("Everything is as it was then: whoever was removed or blocked since is to be removed or blocked again.")
    there = f" The keys that lie here already are kept: {', '.join(done.doors)}." if done.doors else ""
    print(f"Keys of doors are never restored: make new ones with faceedge door add and take them to the doors.{there}")
    if done.new_key is not None:
        print(
            f"New device key: {done.new_key}, beside what it opens. Was it in a credential? faceedge vault rotate --key"
        )


def _time(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
