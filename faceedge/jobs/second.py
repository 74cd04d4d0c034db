"""Which recogniser is still asked about people whom the one that serves does not know: kept over a restart.

`<state>/models/dual.json` holds the labels of both. It counts only while the one that serves is still that one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from faceedge.errors import StoreError
from faceedge.files import write_whole

FILE = "dual.json"


def keep(serving: str, before: str, state: Path) -> None:
    """Raises StoreError when it cannot be written."""
    path = state / "models" / FILE
    try:
        write_whole(path, json.dumps({"serving": serving, "before": before}).encode(), 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); look at the state directory") from error


def kept(serving: str, state: Path) -> str:
    """Label of the recogniser before; empty where there is none for the one that serves, or the file is damaged."""
    try:
        found = json.loads((state / "models" / FILE).read_bytes()[:1024])
        return str(found["before"]) if found["serving"] == serving else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def forget(state: Path) -> None:
    """Nobody is asked any more."""
    with suppress(OSError):
        (state / "models" / FILE).unlink()
