"""`faceedge capture`: what the daemon has kept to calibrate with, and erasing it."""

from __future__ import annotations

import argparse
from typing import Any

from faceedge import config
from faceedge.cli import noting, opening
from faceedge.errors import BadInput
from faceedge.gallery.store import Gallery


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `capture status|erase`."""
    parser = commands.add_parser(
        "capture",
        help="crops of faces that the daemon keeps to calibrate with",
        description="With on = true in [capture] the daemon keeps crops of faces that it recognises anyway, sealed, "
        "bounded in number and age, and drawn so that no person, light or quality crowds out the others. "
        "`faceedge calibrate recognizer --capture` uses them.",
        epilog="Example: faceedge capture status",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    status = actions.add_parser(
        "status",
        help="how many crops there are, of which kind, and how old",
        description="Counts the captured crops by quality and light, of people enrolled and of others. No names.",
        epilog="Example: faceedge capture status --json",
    )
    opening.add_common_flags(status)
    status.set_defaults(run=run_status)
    erase = actions.add_parser(
        "erase",
        help="erase all captured crops",
        description="Erases every captured crop and rebuilds the database, so that it becomes smaller. A daemon with "
        "capture on begins anew.",
        epilog="Example: faceedge capture erase --yes",
    )
    erase.add_argument("--yes", action="store_true", help="really")
    opening.add_common_flags(erase)
    erase.set_defaults(run=run_erase)


def run_status(args: argparse.Namespace) -> int:
    """Counts."""
    from faceedge.jobs.captured_source import tell

    settings = config.load(args.config)
    with Gallery.open(config.state_dir(settings)) as gallery:
        told = tell(gallery.captured.kept(), settings.capture)
    if args.json:
        opening.print_json(told)
    else:
        _print(told)
    return 0


def run_erase(args: argparse.Namespace) -> int:
    """All of them."""
    state = config.state_dir(config.load(args.config))
    if not args.yes:
        raise BadInput("this erases every captured crop for ever; add --yes")
    with Gallery.open(state) as gallery:
        erased = gallery.captured.erase()
        gallery.vacuum()
    noting.note(state, "capture", {"done": "erased", "crops": erased})
    if args.json:
        opening.print_json({"erased": erased})
    else:
        print(f"{opening.counted(erased, 'captured crop')} erased")
    return 0


def _print(told: dict[str, Any]) -> None:
    print(
        f"capture is {'on' if told['on'] else 'off'}: at most {told['most']} crops, none older than {told['days']} days"
    )
    if not told["crops"]:
        print("no crop is kept")
        return
    people = (
        f"{told['crops'] - told['strangers']} of {told['people']} people enrolled, at most {told['most_of_one']} of one"
    )
    print(f"{opening.counted(told['crops'], 'crop')}: {people}; {told['strangers']} of others")
    print(f"from {told['oldest']} to {told['newest']}, for {', '.join(told['alignments'])}")
    for stratum in told["strata"]:
        shown = f"{stratum['people']:>6} of people enrolled  {stratum['strangers']:>6} of others"
        print(f"  quality {stratum['quality']:<5} light {stratum['light']:<6} {shown}")
