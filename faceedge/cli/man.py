"""`faceedge man`: the manual page as troff, made of the parsers of all commands, so that it says what they say."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence

from faceedge import __version__
from faceedge.cli.parser import build_parser, every_command
from faceedge.rules.clock import RELEASED

OPTIONS = (
    ("--version", "Print the version."),
    ("-h, --help", "All commands; after a command, what it takes."),
)
EXIT_CODES = (
    ("0", "Done."),
    ("1", "The answer is no, as the command says: no match, broken, refused, not there."),
    ("2", "Bad usage or bad input; one line on stderr says what is wrong and how to mend it."),
    ("70", "A fault of the program; please report it with the lines on stderr."),
    ("75", "Of run only: a part hangs or the GPU is lost, and only a new process mends it."),
    ("130", "Ended by Ctrl-C."),
)
ENVIRONMENT = (
    ("FACEEDGE_CONFIG", "The configuration, where --config names none."),
    ("FACEEDGE_STATE", "The state directory, where the configuration names none."),
    ("FACEEDGE_CACHE", "Where default networks are kept."),
    ("FACEEDGE__SECTION__FIELD", "In place of a field of the configuration, as in FACEEDGE__BROKER__PORT."),
)
FILES = (
    ("/etc/faceedge/faceedge.toml", "The configuration, where nothing names another."),
    ("/var/lib/faceedge/", "People, rules, journal, networks and keys: the state directory."),
    ("~/.cache/faceedge/", "Default networks."),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `man`."""
    parser = commands.add_parser(
        "man",
        help="the manual page, made of what every command says of itself",
        description="Prints the manual page of all commands, for man(1).",
        epilog="Example: faceedge man > faceedge.1 && man ./faceedge.1",
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Prints the page."""
    print("\n".join(page(build_parser())))
    return 0


def page(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Lines of troff, ASCII only, with the macros of man(7)."""
    everything = list(every_command(parser))[1:]
    yield f'.TH FACEEDGE 1 "{RELEASED:%Y-%m-%d}" "faceedge {__version__}" "User Commands"'
    yield from (".ad l", ".nh")
    yield from (".SH NAME", rf"faceedge \- {escaped(parser.description or '')}")
    yield from (".SH SYNOPSIS", r"\fBfaceedge\fR \fICOMMAND\fR [\fIOPTION\fR]...")
    yield from (".SH DESCRIPTION", escaped(parser.epilog or ""))
    yield from _table("OPTIONS", OPTIONS)
    yield ".SH COMMANDS"
    for path, command in everything:
        yield from _command(path, command)
    yield from _table("EXIT STATUS", EXIT_CODES)
    yield from _table("ENVIRONMENT", ENVIRONMENT)
    yield from _table("FILES", FILES)
    yield from (".SH SEE ALSO", r"\fBmosquitto\fR(8), \fBjournalctl\fR(1), \fBsystemd\fR(1)")


def _command(path: Sequence[str], command: argparse.ArgumentParser) -> Iterator[str]:
    """One command: how it is called, what it does, what it takes."""
    left_out = {"--help", argparse.SUPPRESS}
    actions = [each for each in command._actions if not {*each.option_strings, each.help} & left_out]
    yield f'.SS "faceedge {escaped(" ".join(path))}"'
    yield " ".join([rf"\fBfaceedge {escaped(' '.join(path))}\fR", *map(_called, actions)])
    yield from (".PP", escaped(command.description or ""))
    for action in actions:
        if not isinstance(action, argparse._SubParsersAction):
            yield from (".TP", _spelt(action), escaped(_help(command, action)))
    if command.epilog:
        yield from (".PP", escaped(command.epilog))


def _called(action: argparse.Action) -> str:
    """As in a synopsis."""
    if isinstance(action, argparse._SubParsersAction):
        return r"\fIACTION\fR ..."
    if not action.option_strings:
        many = "..." if action.nargs in ("*", "+") else ""
        named = _value(action) + many
        return f"[{named}]" if action.nargs in ("?", "*") else named
    named = " ".join([rf"\fB{escaped(action.option_strings[0])}\fR", *_values(action)])
    return named if action.required else f"[{named}]"


def _spelt(action: argparse.Action) -> str:
    """As the head of a paragraph."""
    if not action.option_strings:
        return _value(action)
    names = ", ".join(rf"\fB{escaped(name)}\fR" for name in action.option_strings)
    return " ".join([names, *_values(action)])


def _values(action: argparse.Action) -> list[str]:
    return [] if action.nargs == 0 else [_value(action)]


def _value(action: argparse.Action) -> str:
    choices = "|".join(map(str, action.choices)) if action.choices and action.metavar is None else None
    name = action.metavar if isinstance(action.metavar, str) else choices or action.dest.upper()
    return rf"\fI{escaped(name)}\fR"


def _help(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    return command._get_formatter()._expand_help(action) if action.help else ""


def _table(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f".SH {title}"
    for name, meaning in rows:
        yield from (".TP", rf"\fB{escaped(name)}\fR", escaped(meaning))


def escaped(text: str) -> str:
    """Words for one line of troff: nothing in them is a command, and all of it is ASCII."""
    words = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    plain = "".join(letter if letter.isascii() else rf"\[u{ord(letter):04X}]" for letter in words)
    return rf"\&{plain}" if plain[:1] in (".", "'") else plain
