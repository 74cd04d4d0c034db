"""`faceedge chaos`: the proof, on one's own box, that the door comes back and never opens wrongly."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from faceedge.errors import BadInput


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `chaos`."""
    parser = commands.add_parser(
        "chaos",
        help="break a door of its own in every way there is, and see it come back",
        description="Runs the real daemon on a camera, a broker and a door of its own, beside whatever this machine "
        "serves, and hurts it: the camera freezes, a stage hangs, memory runs out, the disk is full, the process is "
        "killed. For every fault a line says after how many seconds the daemon has noticed, after how many somebody "
        "gets an answer again, how many people got none meanwhile, and how often the door opened too late or wrongly, "
        "which is never allowed. In brackets: the bounds, explained in docs/chaos.md. Exit code 0 only if all hold. "
        "About five minutes; what needs rights that you have not is skipped and says so.",
        epilog="Examples: faceedge chaos   or, over night: faceedge chaos --minutes 480 --keep /tmp/night   or one "
        "fault: faceedge chaos --only frozen-frame --only killed",
    )
    parser.add_argument(
        "--minutes", type=float, default=0.0, metavar="N", help="go on by chance until so many minutes are over"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="FAULT",
        help="this fault; may be repeated; a wrong name lists all",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of the chance, to repeat a run (default: a new one)")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep configuration, state and logs, in a new folder"
    )
    parser.add_argument(
        "--ease",
        type=float,
        default=1.0,
        metavar="X",
        help="bounds times X, for a machine that has other work (1 to 10)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)  # this is the daemon that is to be hurt
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Does it; its exit code is the verdict."""
    if args.inside is not None:
        return _inside(args.inside, args.config)
    from faceedge.chaos import mounts  # slow to import, and no other command needs it
    from faceedge.chaos.run import Wishes
    from faceedge.chaos.run import run as run_chaos

    if not 0 <= args.minutes <= 7 * 24 * 60:
        raise BadInput("--minutes: 0 (once through) to 10080")
    if not 1 <= args.ease <= 10:
        raise BadInput("--ease: 1 to 10; what needs more cannot be judged on this machine")
    wishes = Wishes(args.minutes, args.only, args.seed, args.ease, args.keep, args.json)
    mounts.enter([sys.executable, "-m", "faceedge", *sys.argv[1:]])
    return run_chaos(wishes)


def _inside(orders: Path, config: Path) -> int:
    """`faceedge run`, with faults on order."""
    from faceedge.chaos.orders import Obedient
    from faceedge.cli import run as daemon

    parser = argparse.ArgumentParser()
    daemon.add(parser.add_subparsers())
    with Obedient(orders) as obedient:
        return daemon.run(parser.parse_args(["run", "--json", "--config", str(config)]), obedient.seams())
