"""One process at a time changes the models of a state directory: which there are, and which of them serve."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = "models.lock"


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Waits for another process that is at it; the lock goes with the process, however it ends. Raises OSError."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
