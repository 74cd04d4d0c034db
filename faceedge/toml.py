"""TOML files in, on Python 3.10 too."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from faceedge.errors import FaceedgeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path, error: type[FaceedgeError], remedy: str) -> dict[str, Any]:
    """The file as a dictionary. Raises `error` with path, fault (line included) and remedy."""
    try:
        parsed: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise error(f"{path}: cannot be read ({fault.strerror}); {remedy}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise error(f"{path}: not valid TOML ({fault}); {remedy}") from fault
    return parsed
