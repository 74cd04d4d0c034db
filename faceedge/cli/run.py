"""`faceedge run`: the daemon, and after a `reload` the next one."""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from faceedge import config as configuration
from faceedge import logs
from faceedge.cli.careful import Careful, is_watched
from faceedge.cli.generations import Check, Generations, read_startable
from faceedge.cli.lines import JsonLines
from faceedge.cli.way_back import go_back
from faceedge.config import Config
from faceedge.daemon import Daemon
from faceedge.errors import ConfigError
from faceedge.jobs import on_trial
from faceedge.seams import Seams

log = logging.getLogger("faceedge.events")

LOGGED = ("outcome", "reason", "camera", "track", "person", "quality", "verdict")
"""Of a decision; its similarities are in the journal only."""
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


def run(args: argparse.Namespace, seams: Seams | None = None) -> int:
    """Runs the daemon until a signal or, with --once, to the end of its files. seams: where faults are put in."""
    faulthandler.enable(file=2)  # systemd ends a main thread that hangs with SIGABRT: the log then says where it was
    careful = Careful(args.config) if is_watched() and not args.once else None
    code = _run(args, careful, seams)
    if careful is not None and code == 0:
        careful.end()
    return code


def _run(args: argparse.Namespace, careful: Careful | None, seams: Seams | None) -> int:
    settings = configuration.load(args.config) if careful is None else careful.begin()
    state = configuration.state_dir(settings)
    if not args.once:
        go_back(state)
    code = _serve(args, settings, careful, seams)
    if not args.once and code == 0:
        on_trial.end(state)
    return code


def _serve(args: argparse.Namespace, settings: Config, careful: Careful | None, seams: Seams | None) -> int:
    if not args.json:
        return _generations(args, settings, log_event, careful, seams).run_until_signal()
    with JsonLines(sys.stdout.fileno(), 0 if args.once else MOST_WAITING) as lines:
        generations = _generations(args, settings, lines.tell, careful, seams)
        lines.on_gone = generations.stop
        return generations.run_until_signal()


def _generations(
    args: argparse.Namespace, settings: Config, tell: Callable[[dict[str, Any]], None], careful: Careful | None,
    seams: Seams | None,
) -> Generations:  # fmt: skip
    state, cache = configuration.state_dir(settings), configuration.cache_dir()

    def make(config: Config, check: Check) -> Daemon:
        logs.set_up(config.log.format)
        care = careful.care(config) if careful is not None else None
        return Daemon(config, state, cache, tell, once=args.once, check=check, seams=seams, care=care)

    def read() -> Config:
        if args.once:
            raise ConfigError("this daemon works through files once and does not begin anew; start another")
        return read_startable(args.config, state)

    if careful is None:
        return Generations(settings, make, read)
    return Generations(settings, make, partial(careful.checked, read), careful.again)


def log_event(event: dict[str, Any]) -> None:
    """Decisions and changes as one log line each; people appear as their id only."""
    if event["event"] == "decision":
        told = {name: event[name] for name in LOGGED}
        log.info(
            "%s %s camera=%s track=%s person=%s quality=%s verdict=%s",
            *told.values(), extra=logs.with_fields("decision", **told, latency_ms=event["latency_ms"]),
        )  # fmt: skip
    elif event["event"] != "track":
        log.info("%s", json.dumps(event), extra=logs.with_fields(event["event"], **event))
