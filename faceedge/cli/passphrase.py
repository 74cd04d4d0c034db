"""The passphrase of a backup or an export: from a 0600 file, a systemd credential, or typed."""

from __future__ import annotations

import argparse
import getpass
import os
import stat
import sys
from pathlib import Path

from faceedge.cli import opening
from faceedge.errors import BadInput

CREDENTIAL = "faceedge-backup-passphrase"
SHORTEST = 12


def add_flag(parser: argparse.ArgumentParser) -> None:
    """`--passphrase-file`."""
    parser.add_argument(
        "--passphrase-file", metavar="FILE", type=opening.a_path,
        help=f"first line of a file that only you can read (default: the systemd credential {CREDENTIAL}, else asked)",
    )  # fmt: skip


def ask(args: argparse.Namespace, *, is_new: bool) -> str:
    """The passphrase. is_new: typed twice, and long enough. Raises BadInput."""
    path = args.passphrase_file or _credential()
    phrase = _read(path, is_private=args.passphrase_file is not None) if path else _typed(is_new=is_new)
    if is_new and len(phrase) < SHORTEST:
        raise BadInput(f"the passphrase is too short; use at least {SHORTEST} characters, such as five words")
    if not phrase:
        raise BadInput("no passphrase given; name a file with --passphrase-file")
    return phrase


def _credential() -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / CREDENTIAL if folder else None
    return path if path is not None and path.exists() else None


def _read(path: Path, *, is_private: bool) -> str:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise BadInput(f"{path}: is not a file; name the file that holds the passphrase")
            if is_private and mode & 0o077:
                raise BadInput(f"{path}: mode {stat.S_IMODE(mode):04o} opens it to other users; chmod 600 it")
            return file.readline(4096).rstrip("\r\n")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); name the file that holds the passphrase") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is no text in UTF-8; name the file that holds the passphrase") from error


def _typed(*, is_new: bool) -> str:
    if not sys.stdin.isatty():
        raise BadInput("nobody is here to type the passphrase; use --passphrase-file")
    try:
        phrase = getpass.getpass("passphrase: ")
        if is_new and getpass.getpass("once more: ") != phrase:
            raise BadInput("the two passphrases differ; try again")
    except EOFError as error:
        raise BadInput("no passphrase typed; try again") from error
    return phrase
