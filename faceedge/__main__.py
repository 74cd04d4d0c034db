"""`faceedge` and `python -m faceedge`: finds the command, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from faceedge import __version__
from faceedge.cli import COMMANDS
from faceedge.errors import FaceedgeError

INTERNAL_FAULT = 70


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; each module of `cli` adds its own commands."""
    parser = argparse.ArgumentParser(
        prog="faceedge",
        description="The appliance at a door: sees a face, decides, and sends a signed grant.",
        epilog="Try `faceedge demo`. Every command explains itself: faceedge COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"faceedge {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        module.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 no, 2 bad usage or input, 70 our own fault."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        return int(args.run(args))
    except FaceedgeError as error:
        print(f"faceedge: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception:
        logging.getLogger("faceedge").exception("internal fault, please report it with the lines above")
        return INTERNAL_FAULT


if __name__ == "__main__":
    sys.exit(main())
