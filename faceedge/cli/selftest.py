"""`faceedge selftest`: does this device do what faceedge asks of it? A table, and a signed report."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import datetime, timezone
from typing import Any

from faceedge import config
from faceedge.cli import opening
from faceedge.errors import BadInput
from faceedge.journal.signing import public_path, read_public

MINUTES, LEAST_MINUTES, MOST_MINUTES = 4.0, 0.05, 60.0
WRONG = 1


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `selftest`."""
    parser = commands.add_parser(
        "selftest",
        help="check networks, engines, memory and speed on this device",
        description="Holds TensorRT's engines against ONNX Runtime and the kernels against the CPU, lets two engines "
        "share their memory, looks for memory that is left behind, measures batches, and plays the demo's film to the "
        "real daemon. Where there is no TensorRT it does the rest and says what it left out. The report lies in the "
        "state directory, signed by the device. Exit code 1 when a check has failed. Stop the daemon first.",
        epilog="Example: faceedge selftest --minutes 4   or: faceedge selftest --verify 20261121T143000Z.json",
    )
    parser.add_argument(
        "--minutes", metavar="N", type=float, default=MINUTES,
        help=f"about how long it may take (default: {MINUTES:g}); below 2 without the film",
    )  # fmt: skip
    parser.add_argument(
        "--verify",
        metavar="FILE",
        type=opening.a_path,
        help="check the signature of a report, and show it; nothing runs",
    )
    parser.add_argument(
        "--key", metavar="PEM", type=opening.a_path, help="the public key of another device, for --verify"
    )
    opening.add_model_flags(parser)
    opening.add_common_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks and tells, or verifies a report."""
    if args.verify is not None:
        return _verify(args)
    if args.key is not None:
        raise BadInput("--key goes with --verify")
    if not LEAST_MINUTES <= args.minutes <= MOST_MINUTES:
        raise BadInput(f"--minutes is {LEAST_MINUTES:g} to {MOST_MINUTES:g}")
    from faceedge.checks.report import store

    settings = config.load(args.config)
    document = _document(args, settings)
    path = store(config.state_dir(settings), document, datetime.fromisoformat(document["made"]))
    if args.json:
        opening.print_json({**document, "report": str(path)})
    else:
        from faceedge.cli.selftest_table import show

        show(document)
        print(f"report: {path}")
    return 0 if document["passed"] else WRONG


def _document(args: argparse.Namespace, settings: config.Config) -> dict[str, Any]:
    from faceedge import selftest
    from faceedge.checks.base import Bench
    from faceedge.cli.bench_frames import frames_of

    made, start = datetime.now(timezone.utc), time.monotonic()
    (frame,) = frames_of(None, None, None).images
    named = {role: name for role in opening.ROLES if (name := getattr(args, role))}
    models, state = settings.models.model_copy(update=named), config.state_dir(settings)
    with (
        opening.progress_bar() as progress,
        Bench(models, settings.engine, state, config.cache_dir(), frame, 60 * args.minutes, progress) as bench,
    ):
        rows = selftest.run(bench, progress, selftest.CHECKS)
        return selftest.document(bench, rows, made, time.monotonic() - start)


def _verify(args: argparse.Namespace) -> int:
    from faceedge.checks.report import read_signed

    key = read_public(args.key or public_path(config.state_dir(config.load(args.config))))
    document = read_signed(args.verify, key)
    if args.json:
        opening.print_json({"file": str(args.verify), "key": key.name, "holds": document is not None})
    elif document is None:
        print(f"faceedge: {args.verify}: was not signed with the key {key.name}, or was changed since", file=sys.stderr)
    else:
        from faceedge.cli.selftest_table import show

        show(document)
        print(f"{args.verify}: signed with the key {key.name}, unchanged")
    return WRONG if document is None else 0
