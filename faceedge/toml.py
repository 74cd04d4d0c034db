"""TOML files in, on Python 3.10 too."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

from faceedge.errors import FaceedgeError, one_line

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1_000_000


def read_toml(path: Path, error: type[FaceedgeError], remedy: str) -> dict[str, Any]:
    """The file as a dictionary. Raises `error` with path, fault (line included) and remedy."""
    try:
        parsed: dict[str, Any] = tomllib.loads(_text(path, error, remedy))
    except OSError as fault:
        raise error(f"{path}: cannot be read ({fault.strerror}); {remedy}") from fault
    except ValueError as fault:  # not its syntax, not UTF-8, or a number of thousands of digits
        raise error(f"{path}: not valid TOML ({one_line(str(fault), 200)}); {remedy}") from fault
    except RecursionError as fault:
        raise error(f"{path}: not valid TOML (lists or tables nested too deep); {remedy}") from fault
    return parsed


def _text(path: Path, error: type[FaceedgeError], remedy: str) -> str:
    """Never waits on a pipe and never reads a device, which would not end."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise error(f"{path}: is not a file; {remedy}")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise error(f"{path}: more than {MAX_BYTES // 1_000_000} MB; {remedy}")
    return content.decode("utf-8")
