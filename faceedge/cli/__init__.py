"""The command line, one module a family of commands: parse, call, print, exit code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

MODULES = (
    "run", "demo", "enroll", "people", "rules", "compare", "extract", "door", "lockdown", "site_key", "command", "why",
    "journal", "vault", "backup", "gallery", "model", "calibrate", "build", "capture", "bench", "config",
    "selftest", "chaos",
)  # fmt: skip
"""Each has the command of its name, with a hyphen for an underscore, in the order of the help."""
_ALSO = {"restore": "backup"}


def modules(words: Sequence[str]) -> list[Any]:
    """What is needed to understand these words: of a command its own module, so that a door that starts again does not
    wait for all the others to be imported; else all."""
    first = words[0] if words else ""
    name = _ALSO.get(first, first.replace("-", "_"))
    wanted = (name,) if name in MODULES else MODULES
    return [import_module(f"faceedge.cli.{module}") for module in wanted]
