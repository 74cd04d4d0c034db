"""The command line, one module a family of commands: parse, call, print, exit code."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

PURPOSES = {
    "run": "run the daemon: camera to signed grant",
    "demo": "watch a door being run, without camera or broker of your own",
    "enroll": "add people from photos or a camera",
    "people": "list, show, change or remove people",
    "rules": "say who may pass which door and when, and ask why somebody may not",
    "compare": "do two photos show the same person?",
    "extract": "boxes, landmarks, quality and embeddings of photos",
    "door": "doors and their controllers: keys, tests, a controller to try with",
    "lockdown": "keep every door shut, until it is lifted",
    "site-key": "keys that sign commands: make one, trust one on a device",
    "command": "send a signed command to a device and wait for its signed answer",
    "why": "why did the door open, or not",
    "journal": "check the journal, or export it",
    "vault": "the keys that names, templates and pictures are sealed with",
    "backup": "people, rules and journal into one encrypted file, also while the daemon runs",
    "restore": "a backup onto a new board",
    "gallery": "look through the gallery; take people to another door",
    "model": "add, check and choose the networks that find and tell apart faces",
    "calibrate": "make an INT8 build of a network and prove that it is no worse; fit the quality, or a site's "
    "thresholds",
    "build": "build the TensorRT engines of this device",
    "capture": "crops of faces that the daemon keeps to calibrate with",
    "bench": "how fast the active models are on this machine",
    "config": "write the first configuration file, or check one",
    "selftest": "check networks, engines, memory and speed on this device",
    "doctor": "say what works, what does not, and what mends it",
    "chaos": "break a door of its own in every way there is, and see it come back",
    "licenses": "the licences of packages and networks of this installation",
    "completion": "complete commands, options and files in bash, zsh or fish",
    "man": "the manual page, made of what every command says of itself",
}
"""Every command and what it is for, in the order of the help; a page of them needs no module of theirs."""
_ALSO = {"restore": "backup"}


def _module(command: str) -> str:
    """Each lies in the module of its name, with an underscore for a hyphen."""
    return _ALSO.get(command, command.replace("-", "_"))


MODULES = tuple(dict.fromkeys(map(_module, PURPOSES)))


def modules(words: Sequence[str]) -> list[Any]:
    """What is needed to understand these words: of a command its own module, so that a door that starts again does not
    wait for all the others to be imported; else all."""
    name = _module(words[0]) if words else ""
    wanted = (name,) if name in MODULES else MODULES
    return [import_module(f"faceedge.cli.{module}") for module in wanted]
