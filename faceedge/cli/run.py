"""`faceedge run`: the daemon."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from faceedge import config as configuration
from faceedge.cli.lines import JsonLines
from faceedge.daemon import Daemon, run_until_signal

log = logging.getLogger("faceedge.events")

MOST_WAITING = 1000
"""Events that a slow reader may be behind by before the oldest are dropped."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `run`."""
    parser = commands.add_parser(
        "run",
        help="run the daemon: camera to signed grant",
        description="Runs the door until SIGTERM. Decisions are logged one line each, on stderr.",
        epilog="Example: faceedge run --config /etc/faceedge/faceedge.toml --json | jq .outcome",
    )
    parser.add_argument(
        "--config", type=Path, help="TOML file (default: $FACEEDGE_CONFIG, /etc/faceedge/faceedge.toml)"
    )
    parser.add_argument("--once", action="store_true", help="process every frame of the configured files, then end")
    parser.add_argument("--json", action="store_true", help="one JSON document an event on stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the daemon until a signal or, with --once, to the end of its files."""
    settings = configuration.load(args.config)
    state = configuration.state_dir(settings)
    cache = configuration.cache_dir()
    if not args.json:
        return run_until_signal(Daemon(settings, state, cache, log_event, once=args.once))
    with JsonLines(sys.stdout.fileno(), 0 if args.once else MOST_WAITING) as lines:
        daemon = Daemon(settings, state, cache, lines.tell, once=args.once)
        lines.on_gone = daemon.stop
        return run_until_signal(daemon)


def log_event(event: dict[str, Any]) -> None:
    """Decisions and changes as one log line each; people appear as their id only."""
    if event["event"] == "decision":
        log.info(
            "%s %s camera=%s track=%s person=%s quality=%s verdict=%s",
            event["outcome"], event["reason"], event["camera"], event["track"], event["person"], event["quality"],
            event["verdict"],
        )  # fmt: skip
    elif event["event"] != "track":
        log.info("%s", json.dumps(event))
