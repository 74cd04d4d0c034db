"""`faceedge doctor`: does this installation work, and where not, what mends it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from faceedge import config
from faceedge.cli import opening
from faceedge.errors import BadInput, ConfigError

WRONG = 1
CREDENTIALS = "CREDENTIALS_DIRECTORY"
HANDED_OVER = Path("/run/credentials/faceedge.service")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `doctor`."""
    parser = commands.add_parser(
        "doctor",
        help="say what works, what does not, and what mends it",
        description="Looks at machine, packages, engines, networks, configuration, cameras, broker, controllers, keys, "
        "databases, journal, disk, memory, clock and service. Every line is green, yellow or red; under what is not "
        "green stands the remedy. It changes nothing, opens no door, and the daemon may run. Exit code 1 when "
        "something is red.",
        epilog="Example: faceedge doctor   or: faceedge doctor --bundle support.tar.gz   or: faceedge doctor --watch",
    )
    parser.add_argument(
        "--picture", metavar="DIR", type=opening.a_path,
        help="keep one picture of each camera in this folder, as NAME.png, 0600",
    )  # fmt: skip
    also = parser.add_mutually_exclusive_group()
    also.add_argument(
        "--bundle", metavar="FILE", type=opening.a_path,
        help="also write an archive for support (tar.gz, 0600): report, versions, redacted configuration, log lines, "
        "metrics; no secrets, faces, names or templates",
    )  # fmt: skip
    also.add_argument("--watch", action="store_true", help="a live view of the running door, until Ctrl+C")
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examines, tells, and writes the archive when it is wanted."""
    _see_as_the_service()
    patient = _patient(args)
    if args.watch:
        return _watch(args, patient)
    from faceedge.checks.doctor.examine import examine, is_green
    from faceedge.checks.doctor.table import checks_of

    with opening.progress_bar() as progress:
        findings = examine(checks_of(patient), lambda id, share: progress(f"looks at {id}", share))
    if args.json:
        document: dict[str, Any] = {"green": is_green(findings), "findings": [_as_json(one) for one in findings]}
        opening.print_json(document)
    else:
        from faceedge.cli.doctor_screen import show

        show(findings)
    if args.bundle is not None:
        _bundle(args, patient, findings)
    return 0 if is_green(findings) else WRONG


def _patient(args: argparse.Namespace) -> Any:
    """A configuration that is wrong is a finding, and most other checks can do without."""
    from faceedge.checks.doctor.base import Patient

    if args.picture is not None and not args.picture.is_dir():
        raise BadInput(f"--picture {args.picture}: no such folder; make it first")
    path, fault = config.chosen_path(args.config), ""
    settings = None
    try:
        settings = config.load(args.config)
    except ConfigError as error:
        fault = str(error)
    state = config.state_dir(settings) if settings is not None else config.state_dir_of(args.config)
    return Patient(path, settings, fault, state, config.cache_dir(), pictures=args.picture)


def _see_as_the_service() -> None:
    """Credentials that systemd has handed to the daemon, where this user may read them."""
    if CREDENTIALS not in os.environ and os.access(HANDED_OVER, os.R_OK | os.X_OK):
        os.environ[CREDENTIALS] = str(HANDED_OVER)


def _as_json(finding: Any) -> dict[str, str]:
    return {"id": finding.id, "status": finding.status, "what": finding.what, "remedy": finding.remedy}


def _bundle(args: argparse.Namespace, patient: Any, findings: Any) -> None:
    from faceedge.checks.doctor.bundle import write

    members = write(args.bundle, patient, findings)
    words = f"{args.bundle}: {opening.counted(len(members), 'file')}, nothing secret found in them"
    print(words, file=sys.stderr if args.json else sys.stdout)


def _watch(args: argparse.Namespace, patient: Any) -> int:
    if args.json or not sys.stdout.isatty():
        raise BadInput("--watch needs a terminal; for programs there is --json, and [health] metrics")
    from faceedge.cli.doctor_watch import watch

    watch(patient)
    return 0
