"""What the `faceedge door` commands share: flags, the configuration with its state directory, a question."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faceedge import config as configuration
from faceedge.cli import opening
from faceedge.config import Config
from faceedge.door.contract import Address
from faceedge.door.keys import checked_name
from faceedge.door.rotation import the_controller
from faceedge.errors import BadInput

Commands = argparse._SubParsersAction


@dataclass(frozen=True, slots=True)
class Site:
    """The configuration, and where its keys lie."""

    settings: Config
    state: Path

    @classmethod
    def of(cls, args: argparse.Namespace) -> Site:
        """Raises ConfigError."""
        settings = configuration.load(args.config)
        return cls(settings, args.state or configuration.state_dir(settings))

    def names(self, door: str, controller: str) -> bool:
        """Whether a [[door]] of the configuration has this controller."""
        return any(each.name == door and controller in each.controllers for each in self.settings.door)

    def address(self, args: argparse.Namespace) -> Address:
        """The controller that `NAME [--controller C]` means. Raises BadInput."""
        controller = the_controller(self.state, args.name, args.controller)
        return Address(self.settings.device, checked_name(args.name), controller)


def add_action(
    actions: Commands[argparse.ArgumentParser], verb: str, run: Callable[[argparse.Namespace], int],
    purpose: str, example: str, more: str = "",
) -> argparse.ArgumentParser:  # fmt: skip
    """A command below `door`, with `--config`, `--state` and `--json`."""
    parser = opening.add_action(actions, verb, run, purpose, example, more)
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="state directory (default: that of the configuration)"
    )
    return parser


def add_names(parser: argparse.ArgumentParser) -> None:
    """`NAME [--controller C]` of a controller that has a key."""
    parser.add_argument("name", metavar="NAME", help="the door, as in [[door]] name")
    parser.add_argument(
        "--controller", metavar="C", help="one of its controllers (default: the only one that has a key)"
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    """`--yes`."""
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where nobody can be asked")


def is_sure(args: argparse.Namespace, question: str) -> bool:
    """Whether it is meant: said by `--yes`, or asked on the terminal. Raises BadInput where nobody can be asked."""
    if args.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadInput(f"{question} Nobody can be asked here; add --yes if that is meant")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
