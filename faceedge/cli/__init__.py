"""The command line, one module a family of commands: parse, call, print, exit code."""

from faceedge.cli import run

COMMANDS = (run,)
