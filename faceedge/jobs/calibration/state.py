"""The finished steps of a calibration, so that one that was interrupted goes on: `<state>/calibration/<build>/`.

A step is known by its name and by the digest of everything it depends on. Only digests, figures and graphs lie here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faceedge.errors import BadInput, StoreError
from faceedge.files import write_whole

FOLDER = "calibration"
_LOCK = ".lock"


class Steps:
    """What was finished. folder: for files of the steps, graphs and found faces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str, key: str) -> Any:
        """What a finished step left; None when it was not finished, or with another key."""
        try:
            return json.loads((self.folder / f"{name}-{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, name: str, key: str, value: Any) -> None:
        """Writes down that a step is finished. Raises StoreError."""
        path = self.folder / f"{name}-{key}.json"
        try:
            write_whole(path, json.dumps(value, allow_nan=False).encode(), 0o600)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error.strerror}); make room") from error

    def clear(self) -> None:
        """Forgets all steps: the calibration is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def key_of(*parts: object) -> str:
    """16 hex digits over whatever a step depends on, by what it looks like in JSON."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def opened_steps(state: Path, build: str) -> Iterator[Steps]:
    """The steps of calibrating one build, one process at a time.

    Raises BadInput when another process calibrates that build, StoreError when the folder cannot be used.
    """
    root = state / FOLDER
    folder = root / build
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(root / f"{_LOCK}-{build}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be used ({error.strerror}); mend that and try again") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Steps(folder)
    except BlockingIOError as error:
        raise BadInput(f"{folder}: another calibration of that build is running; wait for it to end") from error
    finally:
        os.close(descriptor)
