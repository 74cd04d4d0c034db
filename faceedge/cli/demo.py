"""`faceedge demo`: a door being run, from nothing but this package and its extras."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceedge.errors import BadInput


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `demo`."""
    parser = commands.add_parser(
        "demo",
        help="watch a door being run, without camera or broker of your own",
        description="Plays a film of people walking up to a door to the real daemon, which finds and recognises faces "
        "and sends signed grants over a real broker to a door controller. One line a decision, then a table and a "
        "contact sheet. Exit code 0 only if the door opened for the one person enrolled and for nobody else.",
        epilog="Example: faceedge demo --out sheet.png   or, with a webcam: faceedge demo --camera 0",
    )
    parser.add_argument(
        "--camera", metavar="SOURCE", help="0, rtsp://… or a video file instead of the film; no verdict"
    )
    parser.add_argument("--headless", action="store_true", help="print only: no bars, no contact sheet unless --out")
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="how long to watch the camera (default: until Ctrl-C)"
    )
    parser.add_argument("--out", type=Path, metavar="PNG", help="the contact sheet (default: demo.png)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep configuration, state and logs in a new folder")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the demo; its exit code is the verdict."""
    from faceedge.demo.run import Wishes  # slow to import, and no other command needs it
    from faceedge.demo.run import run as run_demo

    if args.seconds is not None and (args.camera is None or not 0 < args.seconds <= 86400):
        raise BadInput("--seconds goes with --camera and is above 0 and at most 86400")
    if args.out is not None and args.camera is not None:
        raise BadInput("--out is the contact sheet of the film; leave it out with --camera")
    return run_demo(Wishes(args.camera, args.headless, args.seconds, args.out, args.keep, args.json))
