"""How `faceedge model` and a running daemon talk about a swap: who runs is a lock, what is wanted and how far it is are
files, each written whole.

`<state>/daemon.lock` · `<state>/models/wanted.json` · `<state>/models/swap.json`. Whoever may write there may do
anything to this door anyway; what is read is checked all the same.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceedge.errors import BadInput, StoreError
from faceedge.files import write_whole
from faceedge.jobs.swap_order import LONGEST_SHADOW_S, Order, Step
from faceedge.manifest import Role

LOCK, WANTED, PROGRESS = "daemon.lock", "wanted.json", "swap.json"
MOST_BYTES = 1 << 16
LOOK_S = 0.1
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wanted(_Part):
    """An order, and what it is called; who gives it is whoever may write into the state directory."""

    id: Id
    role: Role | None = None
    name: str = Field("", max_length=128)
    shadow_s: float = Field(0.0, ge=0, le=LONGEST_SHADOW_S)
    canary: float = Field(0.0, ge=0, le=1)
    dual: bool = False
    agreed: bool = False
    accept_worse: str = Field("", max_length=300)

    def order(self) -> Order:
        """Raises BadInput when it names nothing."""
        return Order(by="cli", **self.model_dump(exclude={"id"}))


class Progress(_Part):
    """How far an order is. share: of the step. text: what is being done. done: it has ended, well or not: why not.
    outcome: what came of it."""

    id: str
    by: str = "cli"
    role: Role | None = None
    name: str = ""
    step: Step = "stage"
    share: float = 0.0
    text: str = ""
    done: bool = False
    ok: bool = False
    why: str = ""
    outcome: dict[str, Any] = {}


@contextmanager
def held(state: Path) -> Iterator[None]:
    """For a daemon as long as it runs: whoever wants a swap asks it then. Another one on the same directory runs, too,
    but is not asked. Raises StoreError."""
    try:
        lock = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(f"{state / LOCK}: {error.strerror}; look at the state directory") from error
    try:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def is_running(state: Path) -> bool:
    """Whether a daemon holds the lock. Raises StoreError when that cannot be told."""
    try:
        lock = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{state / LOCK}: {error.strerror}; whether a daemon runs cannot be told") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def fresh_id() -> str:
    """Names an order."""
    return secrets.token_hex(8)


def ask(order: Order, state: Path) -> str:
    """Leaves an order for the daemon that runs; what it is called. Raises BadInput while another one is under way,
    StoreError."""
    now = read_progress(state)
    if (now is not None and not now.done) or _path(state, WANTED).exists():
        raise BadInput("another swap is under way; wait for it: faceedge model list")
    wanted = Wanted(
        id=fresh_id(), role=order.role, name=order.name, shadow_s=order.shadow_s, canary=order.canary,
        dual=order.dual, agreed=order.agreed, accept_worse=order.accept_worse,
    )  # fmt: skip
    _write(_path(state, WANTED), wanted)
    return wanted.id


def take(state: Path) -> Wanted | None:
    """What is wanted, which nobody else gets then. Raises BadInput for what is no order."""
    path = _path(state, WANTED)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        withdraw(state)
        raise BadInput(f"{path}: {error.strerror}; it was deleted") from error
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MOST_BYTES)
    withdraw(state)
    try:
        return Wanted.model_validate_json(content)
    except ValidationError as error:
        raise BadInput(f"{path}: is no order; it was deleted") from error


def withdraw(state: Path) -> None:
    """Nothing is wanted any more."""
    with suppress(OSError):
        _path(state, WANTED).unlink()


def follow(
    name: str, state: Path, told: Callable[[Progress], None], sleep: Callable[[float], None] = time.sleep
) -> Progress:
    """Waits until the order of that id has ended. Raises StoreError when the daemon ends before."""
    while True:
        has_gone = not is_running(state)  # before the file, which then is the last word
        now = read_progress(state)
        if now is not None and now.id == name:
            told(now)
            if now.done:
                return now
        if has_gone:
            withdraw(state)
            raise StoreError("the daemon has ended before the swap has; faceedge model list says what serves now")
        sleep(LOOK_S)


def read_progress(state: Path) -> Progress | None:
    """Of the newest order; None when there is none, or its file cannot be read."""
    try:
        return Progress.model_validate_json(_path(state, PROGRESS).read_bytes()[:MOST_BYTES])
    except (OSError, ValidationError):
        return None


def write_progress(progress: Progress, state: Path) -> None:
    """Raises StoreError."""
    _write(_path(state, PROGRESS), progress)


def _write(path: Path, part: _Part) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, part.model_dump_json().encode(), 0o600)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); look at the state directory") from error


def _path(state: Path, name: str) -> Path:
    return state / "models" / name
