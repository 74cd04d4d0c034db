"""`faceedge completion`: what a shell needs to complete commands, options, choices and files, made by shtab."""

from __future__ import annotations

import argparse

from faceedge.cli.parser import build_parser, every_command, is_file

SHELLS = ("bash", "zsh", "fish")
FOLDERS = ("DIR", "FOLDER")
"""What an argument that wants a folder is called in the help."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `completion`."""
    parser = commands.add_parser(
        "completion",
        help="complete commands, options and files in bash, zsh or fish",
        description="Prints a script that tells the shell what there is. bash: into "
        "/usr/share/bash-completion/completions/faceedge (needs the package bash-completion), or into a file that "
        "~/.bashrc reads. zsh: into _faceedge in a folder of $fpath. fish: into "
        "/usr/share/fish/vendor_completions.d/faceedge.fish.",
        epilog="Example: faceedge completion bash > ~/.faceedge.bash && echo 'source ~/.faceedge.bash' >> ~/.bashrc",
    )
    parser.add_argument("shell", metavar="|".join(SHELLS), choices=SHELLS, help="for which shell")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the script."""
    import shtab

    print(shtab.complete(prepared(build_parser()), args.shell))
    return 0


def prepared(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The same, with what shtab asks of a parser: which arguments are files, no choices that look like commands, and
    of each command a few words only."""
    import shtab

    for _, command in every_command(parser):
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                for named in action._choices_actions:
                    action.choices[named.dest].description = named.help
            elif is_file(action):
                is_folder = action.metavar in FOLDERS
                action.complete = shtab.DIRECTORY if is_folder else shtab.FILE  # type: ignore[attr-defined]
            elif isinstance(action.choices, dict):
                action.choices = tuple(action.choices)
    return parser
