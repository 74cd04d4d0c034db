"""Which package serves a role: what the configuration pins, what was activated last, or the built-in one.

`<state>/models/active.toml` holds, by role, the label of the active package and of the one before it.
"""

from __future__ import annotations

from pathlib import Path

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from faceedge.errors import StoreError
from faceedge.files import write_whole
from faceedge.manifest import Role
from faceedge.models.lock import alone
from faceedge.toml import read_toml

FILE = "active.toml"
BUILT_IN: dict[Role, str] = {"detector": "dlib-mmod", "recognizer": "dlib-resnet"}
NONE = "none"
"""Configured for a role that has a choice of its own, it means no network at all."""
_REMEDY = "delete it to go back to the built-in models"


class Standing(BaseModel):
    """Labels (`name@version`) of one role; empty is the built-in package, or none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    active: str = ""
    previous: str = ""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Standing = Standing()
    recognizer: Standing = Standing()
    quality: Standing = Standing()


def chosen(role: Role, configured: str, state: Path) -> str:
    """Name of the package that serves `role`; empty is none. Raises StoreError when the choice cannot be read."""
    if configured == NONE:
        return ""
    return configured or standing(role, state).active or BUILT_IN.get(role, "")


def standing(role: Role, state: Path) -> Standing:
    """What was activated for `role`. Raises StoreError on a damaged file."""
    found: Standing = getattr(_read(state), role)
    return found


def stand(role: Role, now: Standing, state: Path) -> None:
    """Writes down what serves `role` from the next start on. Raises StoreError when it cannot be written."""
    path = state / "models" / FILE
    try:
        with alone(state):  # else two who choose for two roles at once would undo each other
            table = _read(state).model_copy(update={role: now})
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, tomli_w.dumps(table.model_dump()).encode())
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror}); nothing was activated") from error


def _read(state: Path) -> _Table:
    path = state / "models" / FILE
    if not path.exists():
        return _Table()
    try:
        return _Table.model_validate(read_toml(path, StoreError, _REMEDY))
    except ValidationError as error:
        raise StoreError(f"{path}: damaged; {_REMEDY}") from error
