"""The command line as argparse has it. Only as much of it is built, and imported, as the words of a command need."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NoReturn

from faceedge import __version__
from faceedge.cli import PURPOSES, modules

PATHS = ("Path", "a_path")
"""Types of arguments that are files or folders."""


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the words of a command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def build_parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """What is needed to understand these words; None: all of it. Each module of `cli` adds its own commands.

    The page of all commands, and words that are none, need the names only: nothing else is imported for them.
    """
    parser = Parser(
        prog="faceedge",
        description="The appliance at a door: sees a face, decides, and sends a signed grant.",
        epilog="Try `faceedge demo`. Every command explains itself: faceedge COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"faceedge {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if words is None or (words and words[0] in PURPOSES):
        for module in modules(words or ()):
            module.add(commands)
    else:
        for name, purpose in PURPOSES.items():
            commands.add_parser(name, help=purpose)
    return parser


def every_command(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command and every action of one, by its words, in the order of the help; the whole first, as ()."""
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from every_command(below, (*path, name))


def is_file(action: argparse.Action) -> bool:
    """Whether it takes the name of a file or a folder."""
    return getattr(action.type, "__name__", "") in PATHS
